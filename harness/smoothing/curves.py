"""Statistics of a smoothing curve: every radius counted for a few videos at a time, while they are in the cache.

A pass over all frames for each radius would fetch everything from memory hundreds of times. What is counted in whole
numbers adds up to the same whatever the grouping; moments do not to the last bit, so tasks with valence and arousal are
counted in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.tasks import Task
from harness.metrics.unit_statistics import StatisticsAccumulator, SufficientStatistics, validate_unit_index
from harness.smoothing.kernels import smooth_many_radii

GROUP_FRAMES = 16_384
"""Frames of the videos that are smoothed and counted together; one longer video is a group of its own."""


@dataclass(frozen=True, eq=False)
class LabeledRows:
    """Labeled frames that are scored after smoothing.

    Attributes
    ----------
    task : Task
    targets : mapping of str to ndarray of N rows
        Labels of each output, as in `harness.data.dataset.Labels`.
    unit : ndarray of int, shape (N,)
        Unit of each row, from 0 to `units` - 1.
    units : int
    rows : ndarray of int, shape (N,)
        Where each row stands in `np.concatenate(videos)`.
    """

    task: Task
    targets: Mapping[str, np.ndarray]
    unit: np.ndarray
    units: int
    rows: np.ndarray

    def accumulator(self, thresholds: np.ndarray | float) -> StatisticsAccumulator:
        """The accumulator of these rows."""
        return StatisticsAccumulator(self.task, self.targets, self.unit, self.units, thresholds, rows=self.rows)


def statistics_by_radius(
    labels: LabeledRows, videos: Sequence[np.ndarray], kernel: str, radii: Sequence[int], thresholds: np.ndarray | float
) -> Iterator[SufficientStatistics]:
    """Compute the statistics of smoothed outputs at each radius.

    Parameters
    ----------
    labels : LabeledRows
    videos : sequence of ndarray of shape (frames, C)
        Outputs before smoothing; `kernel` and the ascending `radii`: see `smooth_many_radii`.
    thresholds : float or ndarray of shape (12,)
        Of the action units.

    Raises
    ------
    InputError
        As `smooth_many_radii` and `StatisticsAccumulator` do.
    """
    if any(output.name == "va" for output in labels.task.outputs) or len(videos) < 2:
        accumulate = labels.accumulator(thresholds)
        return (accumulate(outputs) for _, outputs in smooth_many_radii(videos, kernel, radii))
    return _statistics_in_groups(labels, videos, kernel, list(radii), thresholds)


def _statistics_in_groups(
    labels: LabeledRows, videos: Sequence[np.ndarray], kernel: str, radii: list[int], thresholds: np.ndarray | float
) -> Iterator[SufficientStatistics]:
    units, rows = labels.units, labels.rows
    unit, order = validate_unit_index(np.asarray(labels.unit), units), np.argsort(rows, kind="stable")
    ordered = rows[order]
    ends = np.cumsum([len(video) for video in videos])
    totals: list[dict[str, np.ndarray]] = [{} for _ in radii]
    for first, last in _group_videos(ends):
        start = ends[first - 1] if first else 0
        inside = order[slice(*np.searchsorted(ordered, [start, ends[last - 1]]))]
        present, own = np.unique(unit[inside], return_inverse=True)
        targets = {name: target[inside] for name, target in labels.targets.items()}
        group = LabeledRows(labels.task, targets, own, len(present), rows[inside] - start)
        accumulate = group.accumulator(thresholds)
        for total, (_, outputs) in zip(totals, smooth_many_radii(videos[first:last], kernel, radii)):
            for block, counts in accumulate(outputs).arrays.items():
                if block not in total:
                    total[block] = np.zeros((units, *counts.shape[1:]), counts.dtype)
                total[block][present] += counts
    return (SufficientStatistics(labels.task.name, total) for total in totals)


def _group_videos(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first, end) of neighbouring videos with about GROUP_FRAMES frames together."""
    first, start = 0, 0
    for i, end in enumerate(ends):
        if end - start >= GROUP_FRAMES or i == len(ends) - 1:
            yield first, i + 1
            first, start = i + 1, end
