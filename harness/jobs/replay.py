"""Smoothing and scoring replayed from kept predictions; nothing is retrained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.smoothing import MAX_RADIUS, curve, fill_gaps
from harness.statistics import Collector, Score, UnitStatistics, score
from harness.tasks import Task

Thresholds = np.ndarray | float


class Replay:
    """Kept predictions of one split beside its labels.

    Only rows with a valid label count; `coverage` is the share of them that had a crop. Gaps of a temporal sequence
    are interpolated before smoothing, from frame 1 on; stills are neither filled nor smoothed.
    """

    def __init__(self, task: Task, predictions: Predictions, labels: Labels, temporal: bool) -> None:
        self.task, self.temporal = task, temporal
        labels = labels.take(np.flatnonzero(np.logical_or.reduce(list(task.valid(labels.targets).values()))))
        position = predictions.locate(labels)
        self.annotated, self.scored = len(labels), int((position >= 0).sum())
        labels = labels.take(np.flatnonzero(position >= 0))
        self._position, self._predictions = position[position >= 0], predictions
        self.targets = labels.targets
        present, self._unit = np.unique(labels.unit, return_inverse=True)
        self.units = tuple(labels.units[i] for i in present)

    @property
    def coverage(self) -> float:
        return self.scored / self.annotated if self.annotated else 0.0

    def raw(self) -> np.ndarray:
        """[N, C] unsmoothed outputs of the scored rows."""
        return self._predictions.outputs[self._position]

    def statistics(self, kernel: str, radius: int, thresholds: Thresholds) -> UnitStatistics:
        """Statistics of the scored rows, for each of `units`."""
        return next(self._counted(kernel, [radius], thresholds, self._unit, len(self.units)))

    def scores(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> Iterator[Score]:
        """The scores at each radius, ascending; pooled as they are, they need no statistics by unit."""
        pooled = self._counted(kernel, radii, thresholds, np.zeros_like(self._unit), 1)
        return (score(counted) for counted in pooled)

    def curve(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> list[float]:
        """The task's metric at each radius."""
        return [scored.metrics[self.task.metric] for scored in self.scores(kernel, radii, thresholds)]

    def _counted(self, kernel: str, radii: Sequence[int], thresholds: Thresholds, unit: np.ndarray,
                 units: int) -> Iterator[UnitStatistics]:
        videos, rows = self._dense
        collect = Collector(self.task, self.targets, unit, units, thresholds, rows=rows)
        return (collect(outputs) for _, outputs in curve(videos, kernel if self.temporal else "none", radii))

    @cached_property
    def _dense(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Dense sequences, and the row of each scored label in their concatenation.

        A sequence ends with its last crop, or where no window reaches that holds a scored row: one stray crop of a
        high number would make millions of frames.
        """
        kept = self._predictions
        if not self.temporal:
            return [kept.outputs], self._position
        filled = np.flatnonzero(kept.lengths)
        ends = np.cumsum(kept.lengths)
        sequence, frame = np.searchsorted(ends, self._position, side="right"), kept.frames[self._position]
        reach = np.full(len(ends), MAX_RADIUS, dtype=np.int64)
        np.maximum.at(reach, sequence, frame.astype(np.int64) + MAX_RADIUS)
        last = np.minimum(kept.frames[ends[filled] - 1], reach[filled])
        videos = [fill_gaps(kept.frames[rows], kept.outputs[rows], int(length))
                  for rows, length in zip(kept.slices(filled), last)]
        offsets = np.zeros(len(ends), dtype=np.int64)
        offsets[filled] = np.cumsum(last) - last
        return videos, offsets[sequence] + frame - 1
