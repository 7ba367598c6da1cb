"""Smoothing and scoring replayed from kept predictions; nothing is retrained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.smoothing import curve, fill_gaps
from harness.statistics import Collector, UnitStatistics, score
from harness.tasks import Task

Thresholds = np.ndarray | float


class Replay:
    """Kept predictions of one split beside its labels.

    Only rows with a valid label count; `coverage` is the share of them that had a crop. Gaps of a temporal sequence
    are interpolated before smoothing, from frame 1 to the last crop; stills are neither filled nor smoothed.
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

    def statistics(self, kernel: str, radii: Sequence[int],
                   thresholds: Thresholds) -> Iterator[tuple[int, UnitStatistics]]:
        """(radius, statistics of the scored rows) for each radius, ascending."""
        videos, rows = self._dense
        collect = Collector(self.task, self.targets, self._unit, len(self.units), thresholds, rows=rows)
        if not self.temporal:
            kernel = "none"
        for radius, outputs in curve(videos, kernel, radii):
            yield radius, collect(outputs)

    def curve(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> list[float]:
        """The task's metric at each radius."""
        return [score(counted).metrics[self.task.metric]
                for _, counted in self.statistics(kernel, radii, thresholds)]

    @cached_property
    def _dense(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Dense sequences (frame 1 to the last crop), and the row of each scored label in their concatenation."""
        kept = self._predictions
        if not self.temporal:
            return [kept.outputs], self._position
        filled = np.flatnonzero(kept.lengths)
        last = kept.frames[np.cumsum(kept.lengths)[filled] - 1].astype(np.int64)
        videos = [fill_gaps(kept.frames[rows], kept.outputs[rows], int(length))
                  for rows, length in zip(kept.slices(filled), last)]
        offsets = np.zeros(len(kept.lengths), dtype=np.int64)
        offsets[filled] = np.cumsum(last) - last
        of_crop = np.repeat(offsets, kept.lengths) + kept.frames - 1
        return videos, of_crop[self._position]
