"""Smooth and score saved predictions, without training. This is called a replay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions
from harness.metrics.pooled_scores import Score, score
from harness.metrics.tasks import Task
from harness.metrics.unit_statistics import SufficientStatistics
from harness.smoothing.curves import LabeledRows, statistics_by_radius
from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import MAX_RADIUS, smooth_many_radii

Thresholds = np.ndarray | float


class Replay:
    """Saved predictions of one split, with its labels.

    Only rows with a valid label are scored. In videos, frames without a crop (gaps) are filled before smoothing. Still
    images are neither filled nor smoothed.

    Parameters
    ----------
    task : Task
        The task.
    predictions : Predictions
        Predictions of the split.
    labels : Labels
        Labels of the split.
    temporal : bool
        Whether the sequences are videos rather than still images.
    gaps : {"linear", "nearest", "published", "held"}
        How gaps are filled, see `harness.smoothing.gaps`.
    missing : {"dropped", "filled"}
        Whether labeled rows without a crop are left out, or scored with the outputs of the smoothed sequence. After the
        last crop, these are the outputs at the last crop; in a sequence without crops, they are the mean outputs of all
        crops of the split. Still images without a crop are always left out.

    Attributes
    ----------
    annotated : int
        Number of rows with a valid label.
    scored : int
        Number N of scored rows.
    targets : dict of str to ndarray
        Labels of the scored rows, by output.
    frames : int32 ndarray of shape (N,)
        Frame numbers of the scored rows.
    units : tuple of str
        Names of the V units (videos, or subjects of still images).
    unit : int ndarray of shape (N,)
        Unit of each scored row, as an index into `units`.
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
        """Share of the rows with a valid label that have a crop; 0 without labels."""
        return self._cropped / self.annotated if self.annotated else 0.0

    @property
    def used_predictions(self) -> np.ndarray:
        """Indices of the prediction rows that the scores depend on, ascending int64.

        For videos, these are all rows, since smoothing uses neighboring frames. For still images, these are the rows
        of the scored labels.
        """
        return np.arange(len(self._predictions.frames)) if self.temporal else np.unique(self._position)

    def raw_outputs(self) -> np.ndarray:
        """Return the unsmoothed outputs of the scored rows, [N, C] for the C output columns of the task."""
        return self.smoothed_outputs("none", 0) if self.filled else self._predictions.outputs[self._position]

    def smoothed_outputs(self, kernel: str, radius: int) -> np.ndarray:
        """Return the smoothed outputs of the scored rows, float64 [N, C]."""
        videos, rows = self._dense_sequences
        _, outputs = next(smooth_many_radii(videos, kernel if self.temporal else "none", [radius]))
        return outputs[rows]

    def statistics(self, kernel: str, radius: int, thresholds: Thresholds) -> SufficientStatistics:
        """Compute the sufficient statistics of the scored rows, for each unit."""
        return next(self.iter_statistics(kernel, [radius], thresholds))

    def iter_statistics(
        self, kernel: str, radii: Sequence[int], thresholds: Thresholds
    ) -> Iterator[SufficientStatistics]:
        """Iterate over the statistics at several ascending radii; much faster than separate calls of `statistics`."""
        return self._iter_statistics(kernel, radii, thresholds, self.unit, len(self.units))

    def iter_scores(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> Iterator[Score]:
        """Iterate over the scores of all units together at several ascending radii."""
        pooled = self._iter_statistics(kernel, radii, thresholds, np.zeros_like(self.unit), 1)
        return (score(statistics) for statistics in pooled)

    def metric_curve(self, kernel: str, radii: Sequence[int], thresholds: Thresholds) -> list[float]:
        """Compute the task's metric at several ascending radii."""
        return [scores.metrics[self.task.metric] for scores in self.iter_scores(kernel, radii, thresholds)]

    def _iter_statistics(
        self, kernel: str, radii: Sequence[int], thresholds: Thresholds, unit: np.ndarray, units: int
    ) -> Iterator[SufficientStatistics]:
        videos, rows = self._dense_sequences
        kernel = kernel if self.temporal else "none"
        labels = LabeledRows(self.task, self.targets, unit, units, rows)
        return statistics_by_radius(labels, videos, kernel, radii, thresholds)

    @cached_property
    def _dense_sequences(self) -> tuple[list[np.ndarray], np.ndarray]:
        """Gap-free sequences, and the row of each scored label in their concatenation.

        A sequence ends at its last crop, but at most MAX_RADIUS frames after its last scored row. Otherwise, a single
        crop with a high frame number would create millions of frames. If `missing` is "filled", one frame with the mean
        output of all crops is appended; it serves the rows of sequences without crops.
        """
        predictions = self._predictions
        if not self.temporal:
            return [predictions.outputs], self._position
        with_crops = np.flatnonzero(predictions.lengths)
        ends = np.cumsum(predictions.lengths)
        sequence, frame = self._sequence_of_rows, self.frames.astype(np.int64)
        predicted = sequence >= 0
        reach = np.full(len(ends), MAX_RADIUS, dtype=np.int64)
        np.maximum.at(reach, sequence[predicted], frame[predicted] + MAX_RADIUS)
        last = np.zeros(len(ends), dtype=np.int64)
        last[with_crops] = np.minimum(predictions.frames[ends[with_crops] - 1], reach[with_crops])
        videos = [
            fill_gaps(predictions.frames[rows], predictions.outputs[rows], int(last[i]), self.gaps)
            for i, rows in zip(with_crops, predictions.slices(with_crops))
        ]
        if self.filled:
            videos.append(predictions.outputs.mean(axis=0, dtype=np.float64)[None])
        rows = np.cumsum(last)[sequence] - last[sequence] + np.minimum(frame, last[sequence]) - 1
        return videos, np.where(predicted & (last[sequence] > 0), rows, last.sum())

    @property
    def _sequence_of_rows(self) -> np.ndarray:
        """Index in the predictions of the sequence of each scored row, int64; -1 if the sequence was not predicted."""
        number = {name: i for i, name in enumerate(self._predictions.sequences)}
        names = np.array([number.get(name, -1) for name in self._labels.sequences], dtype=np.int64)
        return names[self._labels.sequence]
