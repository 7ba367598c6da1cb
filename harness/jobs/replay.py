"""Smoothing and scoring replayed from kept predictions; nothing is retrained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.metrics.tasks import Task
from harness.metrics.unit_statistics import Score, SufficientStatistics, score
from harness.smoothing.curves import LabeledRows, statistics_by_radius
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import MAX_RADIUS, smooth_many_radii

Thresholds = np.ndarray | float


class Replay:
    """Kept predictions of one split beside its labels.

    Only rows with a valid label count; `coverage` is the share of them that had a crop. The gaps of a temporal
    sequence are filled before smoothing, from frame 1 on, as `gaps` says (see `harness.smoothing.gaps`); stills
    are neither filled nor smoothed.
    missing: rows without a crop are `dropped`, or `filled`: scored as the smoothed sequence has them, beyond its last
    crop as at the last crop, and in a sequence without any crop as the mean output of all crops of the split. Stills
    are always dropped.
    annotated: rows with a valid label; scored: N of them, in file order; targets: their labels; frames: int32 [N];
    units: V names; unit: int [N] into them.
    """

    def __init__(
        self,
        task: Task,
        predictions: Predictions,
        labels: Labels,
        temporal: bool,
        gaps: str = "linear",
        missing: str = "dropped",
    ) -> None:
        self.task, self.temporal, self.gaps = task, temporal, gaps
        labels = labels.take(np.flatnonzero(np.logical_or.reduce(list(task.valid(labels.targets).values()))))
        position = predictions.index_of(labels)
        self.annotated, self._cropped = len(labels), int((position >= 0).sum())
        self.filled = temporal and missing == "filled" and len(predictions.frames) > 0
        rows = np.arange(len(labels)) if self.filled else np.flatnonzero(position >= 0)
        self._labels, self._position, self._predictions = labels.take(rows), position[rows], predictions
        self.scored, self.targets, self.frames = len(rows), self._labels.targets, self._labels.frame
        present, self.unit = np.unique(self._labels.unit, return_inverse=True)
        self.units = tuple(labels.units[i] for i in present)

    @property
    def coverage(self) -> float:
        return self._cropped / self.annotated if self.annotated else 0.0

    def raw_outputs(self) -> np.ndarray:
        """[N, C] unsmoothed outputs of the scored rows."""
        return self.smoothed_outputs("none", 0) if self.filled else self._predictions.outputs[self._position]

    def smoothed_outputs(self, kernel: str, radius: int) -> np.ndarray:
        """float64 [N, C] outputs of the scored rows after the filter."""
        videos, rows = self._dense_sequences
        _, outputs = next(smooth_many_radii(videos, kernel if self.temporal else "none", [radius]))
        return outputs[rows]

    def statistics(self, kernel: str, radius: int, thresholds: Thresholds) -> SufficientStatistics:
        """Statistics of the scored rows, for each of `units`."""
        return next(self.iter_statistics(kernel, [radius], thresholds))

    def iter_statistics(
        self, kernel: str, radii: Sequence[int], thresholds: Thresholds
    ) -> Iterator[SufficientStatistics]:
        """As `statistics` at each radius, ascending; much faster together than one by one."""
        return self._iter_statistics(kernel, radii, thresholds, self.unit, len(self.units))

    def iter_scores(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> Iterator[Score]:
        """The scores at each radius, ascending; pooled as they are, they need no statistics by unit."""
        pooled = self._iter_statistics(kernel, radii, thresholds, np.zeros_like(self.unit), 1)
        return (score(counted) for counted in pooled)

    def metric_curve(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> list[float]:
        """The task's metric at each radius."""
        return [scored.metrics[self.task.metric] for scored in self.iter_scores(kernel, radii, thresholds)]

    def _iter_statistics(
        self, kernel: str, radii: Sequence[int], thresholds: Thresholds, unit: np.ndarray, units: int
    ) -> Iterator[SufficientStatistics]:
        videos, rows = self._dense_sequences
        kernel = kernel if self.temporal else "none"
        labels = LabeledRows(self.task, self.targets, unit, units, rows)
        return statistics_by_radius(labels, videos, kernel, radii, thresholds)

    @cached_property
    def _dense_sequences(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Dense sequences, and the row of each scored label in their concatenation.

        A sequence ends with its last crop, or where no window reaches that holds a scored row: one stray crop of a
        high number would make millions of frames. After them comes a frame with the mean output of all crops, for the
        rows of sequences that have none.
        """
        kept = self._predictions
        if not self.temporal:
            return [kept.outputs], self._position
        filled = np.flatnonzero(kept.lengths)
        ends = np.cumsum(kept.lengths)
        sequence, frame = self._sequence_of_rows, self.frames.astype(np.int64)
        there = sequence >= 0
        reach = np.full(len(ends), MAX_RADIUS, dtype=np.int64)
        np.maximum.at(reach, sequence[there], frame[there] + MAX_RADIUS)
        last = np.zeros(len(ends), dtype=np.int64)
        last[filled] = np.minimum(kept.frames[ends[filled] - 1], reach[filled])
        videos = [
            fill_gaps(kept.frames[rows], kept.outputs[rows], int(last[i]), self.gaps)
            for i, rows in zip(filled, kept.slices(filled))
        ]
        if self.filled:
            videos.append(kept.outputs.mean(axis=0, dtype=np.float64)[None])
        rows = np.cumsum(last)[sequence] - last[sequence] + np.minimum(frame, last[sequence]) - 1
        return videos, np.where(there & (last[sequence] > 0), rows, last.sum())

    @property
    def _sequence_of_rows(self) -> np.ndarray:
        """Int [N]: the sequence of each scored row among those predicted, -1 where it is not."""
        number = {name: i for i, name in enumerate(self._predictions.sequences)}
        names = np.array([number.get(name, -1) for name in self._labels.sequences], dtype=np.int64)
        return names[self._labels.sequence]
