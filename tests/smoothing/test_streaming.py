import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.smoothing import smooth
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import CAUSAL, MAX_RADIUS
from harness.smoothing.streaming import StreamingFilter
from harness.utils.errors import InputError


@settings(deadline=None)
@given(
    st.sampled_from(["none", *CAUSAL]), st.integers(0, 30), st.sets(st.integers(1, 60), min_size=1), st.integers(1, 9)
)
def test_frame_by_frame_equals_the_whole_video_at_once(kernel, radius, present, columns):
    frames = np.array(sorted(present))
    outputs = np.random.default_rng(0).normal(size=(len(frames), columns)).astype(np.float32)
    expected = smooth(fill_gaps(frames, outputs, 60, "held"), kernel, radius)
    crops = dict(zip(frames.tolist(), outputs))
    stream = StreamingFilter(kernel, radius)
    found = [stream(crops.get(frame)) for frame in range(1, 61)]
    assert all(one is None for one in found[: frames[0] - 1])
    np.testing.assert_allclose(np.stack(found[frames[0] - 1 :]), expected[frames[0] - 1 :], atol=1e-12)


@pytest.mark.parametrize("kernel", CAUSAL)
def test_long_streams_do_not_drift(kernel):
    outputs = np.random.default_rng(1).random((20_000, 2))
    stream = StreamingFilter(kernel, MAX_RADIUS)
    found = np.stack([stream(frame) for frame in outputs])
    np.testing.assert_allclose(found, smooth(outputs, kernel, MAX_RADIUS), atol=1e-11)


def test_inputs_and_outputs_are_independent():
    for kernel in ("none", *CAUSAL):
        stream, outputs = StreamingFilter(kernel, 1), np.ones(2)
        stream(outputs)[:] = 99
        outputs[:] = 99
        np.testing.assert_array_equal(stream(None), [1, 1])


@pytest.mark.parametrize(
    "kernel, radius, message",
    [
        ("median", 7, "kernel median needs 7 later frames.*use trailing_mean, trailing_median, exponential"),
        ("mean", 0, "kernel mean needs 0 later frames"),
        ("expnential", 1, "did you mean exponential"),
        ("exponential", 251, "0 to 250"),
        ("trailing_mean", -1, "0 to 250"),
    ],
)
def test_non_causal_filter_raises(kernel, radius, message):
    with pytest.raises(InputError, match=message):
        StreamingFilter(kernel, radius)


def test_non_finite_values_raise():
    stream = StreamingFilter("exponential", 3)
    stream([0.5])
    with pytest.raises(InputError, match="frame 2 of the stream contains NaN"):
        stream([np.nan])
