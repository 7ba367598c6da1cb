"""Smooth outputs with many radii and compute the counts and moments from which metrics follow.

Videos are taken a few at a time, and all radii are computed while these videos are in the processor's cache. A pass
over all frames for each radius would read everything from memory hundreds of times. The counts of expressions and
action units are integers: their totals do not depend on the grouping of videos. The moments of valence and arousal are
sums of floating-point numbers, whose last bits would depend on the grouping. Tasks with them are therefore computed
over all videos at once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.tasks import Task
from harness.metrics.unit_statistics import StatisticsAccumulator, SufficientStatistics, validate_unit_index
from harness.smoothing.kernels import smooth_many_radii

GROUP_FRAMES = 16_384
"""Consecutive videos are processed together until they have at least this number of frames."""


@dataclass(frozen=True, eq=False)
class LabeledRows:
    """Labeled frames whose outputs are scored after smoothing.

    Attributes
    ----------
    task : Task
    targets : mapping of str to ndarray of N rows
        Labels by output block, as in `harness.data.dataset.Labels`.
    unit : ndarray of int, shape (N,)
        Index of the unit of each row, from 0 to `units` - 1. A unit is a video, or a subject of still images.
    units : int
        Number of units.
    rows : ndarray of int, shape (N,)
        Position of each row in the concatenated outputs of all videos.
    """

    task: Task
    targets: Mapping[str, np.ndarray]
    unit: np.ndarray
    units: int
    rows: np.ndarray

    def accumulator(self, thresholds: np.ndarray | float) -> StatisticsAccumulator:
        """Return an accumulator of these rows for the given decision thresholds of action units."""
        return StatisticsAccumulator(self.task, self.targets, self.unit, self.units, thresholds, rows=self.rows)


def statistics_by_radius(
    labels: LabeledRows, videos: Sequence[np.ndarray], kernel: str, radii: Sequence[int], thresholds: np.ndarray | float
) -> Iterator[SufficientStatistics]:
    """Smooth outputs with each radius and compute the counts and moments from which metrics follow.

    Parameters
    ----------
    labels : LabeledRows
    videos : sequence of ndarray of float, shape (frames, C)
        Outputs before smoothing, with C columns.
    kernel : str
        See `harness.smoothing.kernels.smooth`.
    radii : sequence of int
        Ascending radii, in frames.
    thresholds : float or ndarray of shape (12,)
        Decision thresholds of the action units.

    Returns
    -------
    iterator of SufficientStatistics
        Counts and moments of each unit, one element for each radius, in the order of `radii`.

    Raises
    ------
    InputError
        See `harness.smoothing.kernels.smooth_many_radii` and `harness.metrics.unit_statistics.StatisticsAccumulator`.

    Examples
    --------
    >>> from harness.metrics.tasks import EXPR, get_task
    >>> outputs = np.eye(8)[[0, 0, 1, 0, 0]]
    >>> labels = LabeledRows(get_task("expr"), {"expr": np.zeros(5, int)}, np.zeros(5, int), 1, np.arange(5))
    >>> curve = statistics_by_radius(labels, [outputs], "median", [0, 1], 0.5)
    >>> [statistics.arrays["expr"][0, 0, 0].item() for statistics in curve]
    [4, 5]
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
        group_rows = order[slice(*np.searchsorted(ordered, [start, ends[last - 1]]))]
        present, local_unit = np.unique(unit[group_rows], return_inverse=True)
        targets = {name: target[group_rows] for name, target in labels.targets.items()}
        group = LabeledRows(labels.task, targets, local_unit, len(present), rows[group_rows] - start)
        accumulate = group.accumulator(thresholds)
        for total, (_, outputs) in zip(totals, smooth_many_radii(videos[first:last], kernel, radii)):
            for block, counts in accumulate(outputs).arrays.items():
                if block not in total:
                    total[block] = np.zeros((units, *counts.shape[1:]), counts.dtype)
                total[block][present] += counts
    return (SufficientStatistics(labels.task.name, total) for total in totals)


def _group_videos(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield (first, end) of groups of consecutive videos with about `GROUP_FRAMES` frames in total."""
    first, start = 0, 0
    for i, end in enumerate(ends):
        if end - start >= GROUP_FRAMES or i == len(ends) - 1:
            yield first, i + 1
            first, start = i + 1, end
