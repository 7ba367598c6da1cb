"""Statistics of a smoothing curve: every radius counted for a few videos at a time, while they are in the cache.

A pass over all frames for each radius would fetch everything from memory hundreds of times. What is counted in whole
numbers adds up to the same whatever the grouping; moments do not to the last bit, so tasks with valence and arousal are
counted in one piece.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.metrics.tasks import Task
from harness.metrics.unit_statistics import StatisticsAccumulator, SufficientStatistics, validate_unit_index
from harness.smoothing.kernels import smooth_many_radii

GROUP_FRAMES = 16_384
"""Frames of the videos that are smoothed and counted together; one longer video is a group of its own."""


def statistics_by_radius(task: Task, videos: Sequence[np.ndarray], kernel: str, radii: Sequence[int],
                     targets: Mapping[str, np.ndarray], unit: np.ndarray, units: int,
                     thresholds: np.ndarray | float, rows: np.ndarray) -> Iterator[SufficientStatistics]:
    """Statistics at each of the ascending radii.

    videos, kernel and radii: see `smooth_many_radii`; the others: see `StatisticsAccumulator`; rows:
    int [N], where each label row stands in np.concatenate(videos). Errors are those of both.
    """
    if any(output.name == "va" for output in task.outputs) or len(videos) < 2:
        collect = StatisticsAccumulator(task, targets, unit, units, thresholds, rows=rows)
        return (collect(outputs) for _, outputs in smooth_many_radii(videos, kernel, radii))
    return _in_groups(task, videos, kernel, list(radii), targets, unit, units, thresholds, rows)


def _in_groups(task: Task, videos: Sequence[np.ndarray], kernel: str, radii: list[int],
               targets: Mapping[str, np.ndarray], unit: np.ndarray, units: int, thresholds: np.ndarray | float,
               rows: np.ndarray) -> Iterator[SufficientStatistics]:
    unit, order = validate_unit_index(np.asarray(unit), units), np.argsort(rows, kind="stable")
    ordered = rows[order]
    ends = np.cumsum([len(video) for video in videos])
    totals: list[dict[str, np.ndarray]] = [{} for _ in radii]
    for first, last in _groups(ends):
        start = ends[first - 1] if first else 0
        inside = order[slice(*np.searchsorted(ordered, [start, ends[last - 1]]))]
        present, own = np.unique(unit[inside], return_inverse=True)
        collect = StatisticsAccumulator(
            task,
            {name: target[inside] for name, target in targets.items()},
            own,
            len(present),
            thresholds,
            rows=rows[inside] - start,
        )
        for total, (_, outputs) in zip(totals, smooth_many_radii(videos[first:last], kernel, radii)):
            for block, counts in collect(outputs).arrays.items():
                if block not in total:
                    total[block] = np.zeros((units, *counts.shape[1:]), counts.dtype)
                total[block][present] += counts
    return (SufficientStatistics(task.name, total) for total in totals)


def _groups(ends: np.ndarray) -> Iterator[tuple[int, int]]:
    """(first, end) of neighbouring videos with about GROUP_FRAMES frames together."""
    first, start = 0, 0
    for i, end in enumerate(ends):
        if end - start >= GROUP_FRAMES or i == len(ends) - 1:
            yield first, i + 1
            first, start = i + 1, end
