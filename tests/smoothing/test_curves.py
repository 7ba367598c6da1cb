import numpy as np
import pytest

from harness.metrics.tasks import TASKS
from harness.metrics.unit_statistics import compute_statistics
from harness.smoothing import curves, smooth
from harness.smoothing.curves import LabeledRows, statistics_by_radius
from harness.utils.errors import InputError

LENGTHS = (40, 1, 7, 90, 3, 25)


def labelled(name, seed=0, lengths=LENGTHS):
    """Videos, targets with invalid labels, the video of each label row and its row, in no order and with repeats."""
    rng, frames = np.random.default_rng(seed), sum(lengths)
    task = TASKS[name]
    videos = [rng.random((length, task.width)) for length in lengths]
    rows = rng.integers(0, frames, 150)
    targets = {
        "expr": rng.integers(-1, 8, 150),
        "va": rng.uniform(-1, 1, (150, 2)).astype(np.float32),
        "au": rng.integers(0, 2, (150, 12)).astype(np.int8),
    }
    targets["au"][::9, 4] = -1
    unit = np.repeat(np.arange(len(lengths)), lengths)[rows]
    return task, videos, {output.name: targets[output.name] for output in task.outputs}, unit, rows


@pytest.mark.parametrize("group_frames", [1, 30, 10_000])
@pytest.mark.parametrize("kernel", ["none", "mean", "median"])
@pytest.mark.parametrize("name", ["expr", "au", "va", "mtl"])
def test_grouped_videos_equal_all_videos(monkeypatch, name, kernel, group_frames):
    monkeypatch.setattr(curves, "GROUP_FRAMES", group_frames)
    task, videos, targets, unit, rows = labelled(name)
    radii = [0, 1, 4, 60]
    found = list(statistics_by_radius(LabeledRows(task, targets, unit, 6, rows), videos, kernel, radii, 0.4))
    assert len(found) == len(radii)
    for radius, one in zip(radii, found):
        outputs = np.concatenate([smooth(video, kernel, radius) for video in videos])[rows]
        expected = compute_statistics(task, outputs, targets, unit, 6, 0.4)
        assert one.task == task.name and one.arrays.keys() == expected.arrays.keys()
        for block, values in expected.arrays.items():
            assert one.arrays[block].dtype == values.dtype
            compare = np.testing.assert_allclose if block == "va" else np.testing.assert_array_equal
            compare(one.arrays[block], values)


def test_units_may_span_videos(monkeypatch):
    monkeypatch.setattr(curves, "GROUP_FRAMES", 1)
    task, videos, targets, _, rows = labelled("expr")
    rows = rows % 38  # of the first video alone
    unit = np.arange(150) % 3
    (found,) = statistics_by_radius(LabeledRows(task, targets, unit, 4, rows), videos, "mean", [2], 0.5)
    outputs = np.concatenate([smooth(video, "mean", 2) for video in videos])[rows]
    np.testing.assert_array_equal(
        found.arrays["expr"], compute_statistics(task, outputs, targets, unit, 4).arrays["expr"]
    )
    assert found.arrays["expr"][3].sum() == 0


def test_errors_are_those_of_the_parts():
    task, videos, targets, unit, rows = labelled("expr")
    with pytest.raises(InputError, match="unknown kernel 'medain'; did you mean median"):
        list(statistics_by_radius(LabeledRows(task, targets, unit, 6, rows), videos, "medain", [1], 0.5))
    with pytest.raises(InputError, match="radii must ascend"):
        list(statistics_by_radius(LabeledRows(task, targets, unit, 6, rows), videos, "mean", [2, 1], 0.5))
    with pytest.raises(InputError, match="index .* into 2 unit"):
        list(statistics_by_radius(LabeledRows(task, targets, unit, 2, rows), videos, "mean", [1], 0.5))
