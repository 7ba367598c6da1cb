import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from harness.smoothing import smooth
from harness.smoothing.gaps import GAPS, fill_gaps
from harness.smoothing.kernels import CAUSAL, KERNELS, MAX_RADIUS, mean_lag, required_lookahead, smooth_many_radii
from harness.utils.errors import InputError

VALUES = st.floats(-1, 1, width=32)


def plain_loop(outputs, kernel, radius):
    outputs = outputs.astype(np.float64)
    if kernel == "exponential":
        weights = [(1 - 2 / (radius + 2)) ** np.arange(t, -1, -1) for t in range(len(outputs))]
        return np.stack([np.average(outputs[: t + 1], axis=0, weights=own) for t, own in enumerate(weights)])
    statistic = np.mean if kernel.endswith("mean") else np.median
    ahead = radius if kernel in ("mean", "median") else 0
    return np.stack([statistic(outputs[max(0, t - radius) : t + ahead + 1], axis=0) for t in range(len(outputs))])


def videos_of(lengths, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(length, columns)) for length in lengths]


@settings(deadline=None)  # the first filter of its kind brings scipy with it
@given(
    arrays(np.float32, st.tuples(st.integers(1, 25), st.integers(1, 3)), elements=VALUES),
    st.sampled_from([*KERNELS][1:]),
    st.integers(0, 30),
)
def test_smooth_equals_a_plain_loop(outputs, kernel, radius):
    np.testing.assert_allclose(smooth(outputs, kernel, radius), plain_loop(outputs, kernel, radius), atol=1e-12)


@pytest.mark.parametrize("kernel", [*KERNELS][1:])
def test_widest_window_equals_a_plain_loop(kernel):
    (outputs,) = videos_of([900], columns=2)
    np.testing.assert_allclose(smooth(outputs, kernel, MAX_RADIUS), plain_loop(outputs, kernel, MAX_RADIUS), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sets(st.integers(0, 60), min_size=1, max_size=6),
    st.sampled_from([*KERNELS]),
)
def test_curve_equals_smooth_of_each_video(lengths, radii, kernel):
    videos, radii = videos_of(lengths), sorted(radii)
    seen = []
    for radius, smoothed in smooth_many_radii(videos, kernel, radii):
        seen.append(radius)
        np.testing.assert_allclose(smoothed, np.concatenate([smooth(v, kernel, radius) for v in videos]), atol=1e-12)
    assert seen == radii


@pytest.mark.parametrize("kernel", [*KERNELS][1:])
def test_window_never_reaches_into_the_next_video(kernel):
    videos = [np.zeros((5, 2)), np.ones((3, 2)), np.full((1, 2), 7.0), np.zeros((400, 2))]
    for _, smoothed in smooth_many_radii(videos, kernel, [0, 1, 4, 250]):
        np.testing.assert_allclose(smoothed, np.concatenate(videos), rtol=1e-14)


@pytest.mark.parametrize("kernel", [*KERNELS])
def test_radius_zero_and_kernel_none_do_not_change_outputs(kernel):
    (outputs,) = videos_of([30])
    np.testing.assert_array_equal(smooth(outputs, kernel, 0), outputs)
    np.testing.assert_array_equal(smooth(outputs, "none", 20), outputs)


@pytest.mark.parametrize("kernel", [*KERNELS])
def test_yielded_arrays_are_independent(kernel):
    videos = videos_of([30, 4])
    kept = [smoothed for _, smoothed in smooth_many_radii(videos, kernel, range(4))]
    copies = [smoothed.copy() for smoothed in kept]
    kept[0][:] = 99
    for radius in range(1, 4):
        np.testing.assert_array_equal(kept[radius], copies[radius])
        np.testing.assert_array_equal(copies[radius], np.concatenate([smooth(v, kernel, radius) for v in videos]))
    outputs = videos[0].copy()
    smooth(videos[0], kernel, 2)[:] = 99
    np.testing.assert_array_equal(videos[0], outputs)


def test_single_precision_is_accumulated_in_double():
    outputs = np.random.default_rng(3).normal(size=(2000, 2)).astype(np.float32)
    smoothed = smooth(outputs, "mean", 250)
    assert smoothed.dtype == np.float64
    np.testing.assert_allclose(smoothed, plain_loop(outputs, "mean", 250), atol=1e-13)


@pytest.mark.parametrize("kernel", ["mean", "trailing_mean", "exponential"])
def test_smoothed_probabilities_still_sum_to_one(kernel):
    outputs = np.random.default_rng(4).dirichlet(np.ones(8), size=300)
    np.testing.assert_allclose(smooth(outputs, kernel, 50).sum(axis=1), 1, atol=1e-12)


@settings(deadline=None)
@given(st.sampled_from(["none", *CAUSAL]), st.integers(0, 40), st.integers(1, 59))
def test_causal_kernels_ignore_later_frames(kernel, radius, now):
    (outputs,) = videos_of([60])
    later = outputs.copy()
    later[now:] = 99
    np.testing.assert_array_equal(smooth(outputs, kernel, radius)[:now], smooth(later, kernel, radius)[:now])
    assert required_lookahead(kernel, radius) == 0


@pytest.mark.parametrize("kernel", [*KERNELS])
@pytest.mark.parametrize("radius", [0, 1, 7, 30])
def test_mean_lag_and_required_lookahead(kernel, radius):
    """A ramp comes out late by the delay; an impulse is seen as many frames before it as the window looks ahead."""
    ramp = np.arange(1000.0)[:, None]
    lag = (ramp - smooth(ramp, kernel, radius))[-MAX_RADIUS]
    assert lag == pytest.approx(mean_lag(kernel, radius), abs=1e-6)
    step = (np.arange(200) >= 100).astype(float)[:, None]
    moved = np.flatnonzero(smooth(step, kernel, 2 * radius)[:, 0] > 1e-9)[0]
    first = 100 - required_lookahead(kernel, 2 * radius)
    assert moved == (first if not kernel.endswith("median") else moved) and moved >= first


def test_gap_interpolation_weights_are_correct():
    ramp = np.stack([np.arange(1.0, 21), 100 - 3 * np.arange(1.0, 21)], axis=1)
    frames = np.array([1, 2, 3, 8, 9, 14, 20])
    np.testing.assert_allclose(fill_gaps(frames, ramp[frames - 1], 20), ramp, atol=1e-12)


@given(st.sets(st.integers(1, 40), min_size=1, max_size=15), st.integers(0, 50), st.data())
def test_filled_gaps_equal_linear_interpolation(present, length, data):
    frames = np.array(sorted(present), dtype=np.int32)
    outputs = data.draw(arrays(np.float32, (len(frames), 2), elements=VALUES))
    dense = fill_gaps(frames, outputs, length)
    assert dense.shape == (length, 2) and dense.dtype == np.float64
    for column in range(2):
        expected = np.interp(np.arange(1, length + 1), frames, outputs[:, column].astype(np.float64))
        np.testing.assert_allclose(dense[:, column], expected, atol=1e-12)
    inside = frames[frames <= length]
    np.testing.assert_array_equal(dense[inside - 1], outputs[: len(inside)])


def test_published_gaps_are_reversed():
    """Savchenko 2022: crops 3 and 8 that hold 3 and 8 give 7, 6, 5, 4 between them."""
    assert fill_gaps([3, 8], [[3.0], [8.0]], 10, "published")[:, 0].tolist() == pytest.approx(
        [3, 3, 3, 7, 6, 5, 4, 8, 8, 8]
    )


@given(st.sets(st.integers(1, 40), min_size=1, max_size=15), st.integers(1, 50))
def test_nearest_crop_is_the_earlier_of_two_equally_near(present, length):
    frames = np.array(sorted(present))
    dense = fill_gaps(frames, frames[:, None].astype(float), length, "nearest")[:, 0]
    distance = np.abs(frames - np.arange(1, length + 1)[:, None])
    np.testing.assert_array_equal(dense, frames[distance.argmin(axis=1)])


@given(st.sets(st.integers(1, 40), min_size=1, max_size=15), st.sampled_from(GAPS))
def test_frames_with_a_crop_keep_their_outputs_however_gaps_are_filled(present, method):
    frames = np.array(sorted(present))
    outputs = np.random.default_rng(0).normal(size=(len(frames), 2))
    np.testing.assert_array_equal(fill_gaps(frames, outputs, 40, method)[frames - 1], outputs)


def test_forward_filled_gaps_ignore_the_next_crop():
    assert fill_gaps([3, 6], [[3.0], [6.0]], 8, "held")[:, 0].tolist() == [3, 3, 3, 3, 3, 6, 6, 6]


def test_unknown_gap_method_raises():
    with pytest.raises(InputError, match="unknown gaps 'publised'; did you mean published"):
        fill_gaps([1], [[0.0]], 1, "publised")


def test_crop_beyond_the_length_still_guides_the_last_gap():
    np.testing.assert_allclose(fill_gaps([1, 9], [[1.0], [9.0]], 4)[:, 0], [1, 2, 3, 4])


@pytest.mark.parametrize(
    "frames, outputs, message",
    [
        ([], np.zeros((0, 2)), "no frame has a crop"),
        ([0, 1], np.zeros((2, 2)), "start at 1"),
        ([1, 1], np.zeros((2, 2)), "ascend without repetition"),
        ([2, 1], np.zeros((2, 2)), "ascend"),
        ([1], np.zeros((2, 2)), "1 frame numbers for 2 rows"),
        ([1, 2], [[0.0], [np.nan]], "NaN or infinity, first in row 1"),
    ],
)
def test_unfillable_gaps_raise(frames, outputs, message):
    with pytest.raises(InputError, match=message):
        fill_gaps(frames, outputs, 5)
    with pytest.raises(InputError, match="got length -1"):
        fill_gaps([1], [[0.0]], -1)


@pytest.mark.parametrize(
    "kernel, radius, outputs, message",
    [
        ("medain", 2, np.zeros((4, 2)), "unknown kernel 'medain'; did you mean median"),
        ("mean", -1, np.zeros((4, 2)), "0 to 250"),
        ("mean", 251, np.zeros((4, 2)), "0 to 250"),
        ("mean", 1.5, np.zeros((4, 2)), "an integer"),
        ("mean", 2, np.zeros(4), r"shape \[4\]; expected \[frames, columns\]"),
        ("median", 2, np.array([[0.0], [np.nan]]), "NaN or infinity, first in row 1"),
        ("mean", 2, np.array([[np.inf], [0.0]]), "NaN or infinity, first in row 0"),
    ],
)
def test_wrong_input_is_named(kernel, radius, outputs, message):
    with pytest.raises(InputError, match=message):
        smooth(outputs, kernel, radius)


def test_wrong_input_of_a_curve_is_named_before_any_work():
    with pytest.raises(InputError, match="no video"):
        smooth_many_radii([], "mean", [1])
    with pytest.raises(InputError, match="differ in width"):
        smooth_many_radii([np.zeros((3, 2)), np.zeros((3, 4))], "mean", [1])
    with pytest.raises(InputError, match="must ascend"):
        smooth_many_radii([np.zeros((3, 2))], "mean", [2, 1])
    with pytest.raises(InputError, match="outputs of video 1 contain NaN"):
        smooth_many_radii([np.zeros((3, 2)), np.full((3, 2), np.nan)], "mean", [1])


@pytest.mark.benchmark
@pytest.mark.parametrize("kernel, seconds", [("mean", 5), ("median", 60)])
def test_all_radii_over_280_000_frames(kernel, seconds):
    lengths = np.diff(np.r_[0, np.sort(np.random.default_rng(0).choice(np.arange(200, 279_800), 69, False)), 280_000])
    videos = [video.astype(np.float32) for video in videos_of(lengths, columns=8)]
    start = time.perf_counter()
    frames = [len(smoothed) for _, smoothed in smooth_many_radii(videos, kernel, range(MAX_RADIUS + 1))]
    assert time.perf_counter() - start < seconds and frames == [280_000] * 251


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.uint32, np.uint64, np.int64, np.float64])
def test_fill_gaps_refuses_descending_frames_of_any_type(kind):
    """The differences of unsigned numbers are positive."""
    for frames in ([5, 3, 1], [2, 2], [0, 1]):
        with pytest.raises(InputError, match="start at 1 or later and ascend"):
            fill_gaps(np.array(frames, kind), np.zeros((len(frames), 1)), 6)
    np.testing.assert_allclose(fill_gaps(np.array([1, 3], kind), [[0.0], [1.0]], 3).ravel(), [0, 0.5, 1])


@pytest.mark.parametrize("frames", [[1.5, 2.5], [True, False], ["1", "2"], [1, np.nan], [1, None], [1, 2**63 + 5]])
def test_fill_gaps_refuses_frames_that_are_no_integers(frames):
    with pytest.raises(InputError, match="frame numbers must be integers"):
        fill_gaps(np.array(frames), np.zeros((2, 1)), 6)
