"""Accumulators of statistics per unit (video or subject), for many sets of outputs with the same labels.

N is the number of rows with a valid label, sorted by unit; V is the number of units. Everything that depends on the
labels alone is computed once. Each further set of outputs, such as outputs that are smoothed with another radius, then
costs only a few passes over the outputs.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from harness.metrics.counts import COUNTS, MOMENTS, confusion_counts


class BlockAccumulator(Protocol):
    """Callable that computes the statistics of one block of outputs."""

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Compute the statistics of each unit.

        Parameters
        ----------
        block : ndarray of shape (C, N)
            Outputs, one contiguous row for each of the C output columns.

        Returns
        -------
        ndarray of shape (V, ...)
        """


class ExpressionAccumulator:
    """Confusion counts of expressions per unit.

    Calling it with outputs of shape (8, N) returns int64 counts of shape (V, 8, 8) by true and predicted class. The
    predicted class is the one with the largest output, or the first such class if several outputs are largest.

    Parameters
    ----------
    target : ndarray of int, shape (N,)
        True class, 0 to 7.
    unit : ndarray of int, shape (N,)
        Unit of each row, 0 to V - 1.
    units : int
        V.
    """

    def __init__(self, target: np.ndarray, unit: np.ndarray, units: int) -> None:
        self.units = units
        self.code = (unit.astype(np.int64) * 8 + target.astype(np.int64)) * 8

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Compute the confusion counts of each unit."""
        maximum = block.max(axis=0)
        before_maximum, predicted = np.ones(len(maximum), dtype=bool), np.zeros(len(maximum), dtype=np.int8)
        for column in block:  # index of the first maximum; many times faster than argmax over short rows
            before_maximum &= column != maximum
            predicted += before_maximum
        return confusion_counts(self.code + predicted, self.units)


class GroupReducer:
    """Sums over groups of consecutive rows that share a unit.

    Parameters
    ----------
    unit : ndarray of int, shape (N,)
        Unit of each row, ascending.
    units : int
        V.

    Attributes
    ----------
    starts, sizes : ndarray of int, shape (P,)
        First row and number of rows of each of the P units that have rows.
    present : ndarray of int, shape (P,)
        Indices of the units that have rows.
    """

    def __init__(self, unit: np.ndarray, units: int) -> None:
        self.starts = np.flatnonzero(np.diff(unit, prepend=-1))
        self.present = unit[self.starts]
        self.sizes = np.diff(self.starts, append=len(unit))
        self.units = units

    def sum(self, values: np.ndarray) -> np.ndarray:
        """Sum values over the rows of each of the P units with rows, along the last axis; bools become int64."""
        if values.dtype != bool:
            return np.add.reduceat(values, self.starts, axis=-1)
        return np.add.reduceat(values.view(np.int8), self.starts, axis=-1, dtype=np.int32).astype(np.int64)

    def broadcast(self, values: np.ndarray) -> np.ndarray:
        """Repeat the value of each of the P units with rows for all of its rows, along the last axis."""
        return np.repeat(values, self.sizes, axis=-1)

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """Expand values of the P units with rows to all V units, along the first axis; units without rows get 0."""
        expanded = np.zeros((self.units, *values.shape[1:]), dtype=values.dtype)
        expanded[self.present] = values
        return expanded


class AffectAccumulator:
    """Moments of valence and arousal per unit.

    Calling it with outputs of shape (2, N) returns float64 `harness.metrics.counts.MOMENTS` of shape (V, 2, 6),
    centered within each unit.

    Parameters
    ----------
    target : ndarray of float, shape (N, 2)
        Valence and arousal.
    unit : ndarray of int, shape (N,)
        Unit of each row, ascending.
    units : int
        V.
    """

    def __init__(self, target: np.ndarray, unit: np.ndarray, units: int) -> None:
        self.segments = GroupReducer(unit, units)
        truth = np.ascontiguousarray(target.T, dtype=np.float64)
        self.mean_true, self.truth, self.ss_true = self._center(truth)

    def _center(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return the means of each unit, the centered columns, and the sums of squares of each unit.

        If all values of a unit are equal, its centered values and its sum of squares are exactly 0.
        """
        segments = self.segments
        first = columns[:, segments.starts]
        shifted = columns - segments.broadcast(first)
        offset = segments.sum(shifted) / segments.sizes
        centered = shifted - segments.broadcast(offset)
        return first + offset, centered, segments.sum(centered * centered)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Compute the moments of each unit."""
        segments = self.segments
        if not len(segments.starts):
            return np.zeros((segments.units, 2, len(MOMENTS)))
        mean_pred, centered, ss_pred = self._center(np.asarray(block, dtype=np.float64))
        ss_both = segments.sum(self.truth * centered)
        n = np.broadcast_to(segments.sizes, ss_both.shape)
        columns = np.stack([n, self.mean_true, mean_pred, self.ss_true, ss_pred, ss_both], axis=-1)
        return segments.scatter(columns.transpose(1, 0, 2))


class ActionUnitAccumulator:
    """Binary counts of action units per unit.

    Calling it with probabilities of shape (12, N) returns int64 `harness.metrics.counts.COUNTS` of shape (V, 12, 4). An
    action unit is predicted as present if its probability is at least its threshold.

    Parameters
    ----------
    target : ndarray of int, shape (N, 12)
        1 for present, 0 for absent.
    unit : ndarray of int, shape (N,)
        Unit of each row, ascending.
    units : int
        V.
    thresholds : ndarray of float, shape (12,)
    """

    def __init__(self, target: np.ndarray, unit: np.ndarray, units: int, thresholds: np.ndarray) -> None:
        self.segments = GroupReducer(unit, units)
        self.thresholds = np.asarray(thresholds, dtype=np.float64).reshape(-1, 1)
        self.truth = np.ascontiguousarray(target.T == 1)
        self.positive = self.segments.sum(self.truth)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Compute the binary counts of each unit."""
        segments = self.segments
        if not len(segments.starts):
            return np.zeros((segments.units, len(block), len(COUNTS)), dtype=np.int64)
        predicted = block >= self.thresholds
        tp = segments.sum(predicted & self.truth)
        fp, fn = segments.sum(predicted) - tp, self.positive - tp
        return segments.scatter(np.stack([tp, fp, fn, segments.sizes - tp - fp - fn], axis=-1).transpose(1, 0, 2))
