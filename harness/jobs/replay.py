"""Smoothing and scoring replayed from kept predictions; nothing is retrained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.smoothing import curve, fill_gaps
from harness.statistics import Score, UnitStatistics, collect, score
from harness.tasks import Task

Thresholds = np.ndarray | float


class Replay:
    """Kept predictions of one split beside its labels.

    Only rows with a valid label count; `coverage` is the share of them that had a crop. Gaps of a temporal sequence
    are interpolated before smoothing, from frame 1 to the last crop; stills are neither filled nor smoothed.
    """

    def __init__(self, task: Task, predictions: Predictions, labels: Labels, temporal: bool) -> None:
        self.task, self.temporal = task, temporal
        counted = np.logical_or.reduce(list(task.valid(labels.targets).values()))
        labels = labels.take(np.flatnonzero(counted))
        position = predictions.locate(labels)
        self.annotated = len(labels)
        labels = labels.take(np.flatnonzero(position >= 0))
        self._position = position[position >= 0]
        self._predictions = predictions
        self.scored = len(labels)
        self.targets = labels.targets
        present, self._unit = np.unique(labels.unit, return_inverse=True)
        self.units = tuple(labels.units[i] for i in present)
        self._dense: tuple[list[np.ndarray], np.ndarray] | None = None

    @property
    def coverage(self) -> float:
        return self.scored / self.annotated if self.annotated else 0.0

    def raw(self) -> np.ndarray:
        """[N, C] unsmoothed outputs of the scored rows."""
        return self._predictions.outputs[self._position]

    def smoothed(self, kernel: str, radii: range | list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """(radius, [N, C] outputs of the scored rows) for each radius."""
        if not self.temporal:
            for radius in radii:
                yield radius, self.raw()
            return
        videos, index = self._filled()
        for radius, outputs in curve(videos, kernel, list(radii)):
            yield radius, outputs[index]

    def _filled(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Dense sequences (frame 1 to the last crop), and where each scored row is in their concatenation."""
        if self._dense is None:
            kept, lengths = self._predictions, self._predictions.lengths
            starts = kept.starts()
            videos, offsets, offset = [], np.zeros(len(lengths), dtype=np.int64), 0
            for i in np.flatnonzero(lengths):
                rows = slice(starts[i], starts[i] + lengths[i])
                length = int(kept.frames[rows][-1])
                videos.append(fill_gaps(kept.frames[rows], kept.outputs[rows], length))
                offsets[i] = offset
                offset += length
            of_crop = np.repeat(offsets, lengths) + kept.frames - 1
            self._dense = videos, of_crop[self._position]
        return self._dense

    def statistics(self, outputs: np.ndarray, thresholds: Thresholds) -> UnitStatistics:
        return collect(self.task, outputs, self.targets, self._unit, len(self.units), thresholds)

    def score(self, outputs: np.ndarray, thresholds: Thresholds) -> Score:
        return score(self.statistics(outputs, thresholds))

    def curve(self, kernel: str, radii: range, thresholds: Thresholds) -> list[float]:
        """The task's metric at each radius."""
        metric = self.task.metric
        return [self.score(outputs, thresholds).metrics[metric] for _, outputs in self.smoothed(kernel, radii)]
