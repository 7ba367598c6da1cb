"""One block of outputs counted per unit, many times over for the same rows.

N: rows whose label counts, those of a unit next to each other; V: units. What depends on the labels alone is worked
out once, so that a smoothing curve of 251 radii costs a few passes over the outputs for each radius.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from harness.metrics.counts import COUNTS, MOMENTS, confusion_counts


class BlockAccumulator(Protocol):
    def __call__(self, block: np.ndarray) -> np.ndarray:
        """Outputs [C, N], a contiguous row for each column -> statistics [V, ...]."""


class ExpressionAccumulator:
    """int64 [V, 8, 8] confusion counts (true, predicted); of equal outputs the first class is predicted."""

    def __init__(self, target: np.ndarray, unit: np.ndarray, units: int):
        self.units = units
        self.code = (unit.astype(np.int64) * 8 + target.astype(np.int64)) * 8

    def __call__(self, block: np.ndarray) -> np.ndarray:
        best = block.max(axis=0)
        ahead, predicted = np.ones(len(best), dtype=bool), np.zeros(len(best), dtype=np.int8)
        for column in block:  # the first maximum; many times faster than argmax over short rows
            ahead &= column != best
            predicted += ahead
        return confusion_counts(self.code + predicted, self.units)


class GroupReducer:
    """Runs of rows that share a unit, and sums over them."""

    def __init__(self, unit: np.ndarray, units: int):
        self.starts = np.flatnonzero(np.diff(unit, prepend=-1))
        self.present = unit[self.starts]
        self.sizes = np.diff(self.starts, append=len(unit))
        self.units = units

    def sum(self, values: np.ndarray) -> np.ndarray:
        """[..., N] -> [..., number of units present]; counts of bools are int64."""
        if values.dtype != bool:
            return np.add.reduceat(values, self.starts, axis=-1)
        return np.add.reduceat(values.view(np.int8), self.starts, axis=-1, dtype=np.int32).astype(np.int64)

    def broadcast(self, values: np.ndarray) -> np.ndarray:
        """[..., number of units present] -> [..., N]."""
        return np.repeat(values, self.sizes, axis=-1)

    def scatter(self, values: np.ndarray) -> np.ndarray:
        """[number of units present, ...] -> [V, ...], 0 for the absent."""
        whole = np.zeros((self.units, *values.shape[1:]), dtype=values.dtype)
        whole[self.present] = values
        return whole


class AffectAccumulator:
    """float64 [V, 2, 6] `MOMENTS` of valence and arousal, centred within the unit."""

    def __init__(self, target: np.ndarray, unit: np.ndarray, units: int):
        self.segments = GroupReducer(unit, units)
        truth = np.ascontiguousarray(target.T, dtype=np.float64)
        self.mean_true, self.truth, self.ss_true = self._center(truth)

    def _center(self, columns: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means [2, V'], columns about them [2, N], sums of squares [2, V']; exactly 0 where a column is constant."""
        segments = self.segments
        first = columns[:, segments.starts]
        shifted = columns - segments.broadcast(first)
        offset = segments.sum(shifted) / segments.sizes
        centred = shifted - segments.broadcast(offset)
        return first + offset, centred, segments.sum(centred * centred)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        segments = self.segments
        if not len(segments.starts):
            return np.zeros((segments.units, 2, len(MOMENTS)))
        mean_pred, centred, ss_pred = self._center(np.asarray(block, dtype=np.float64))
        both = segments.sum(self.truth * centred)
        n = np.broadcast_to(segments.sizes, both.shape)
        columns = np.stack([n, self.mean_true, mean_pred, self.ss_true, ss_pred, both], axis=-1)
        return segments.scatter(columns.transpose(1, 0, 2))


class ActionUnitAccumulator:
    """int64 [V, 12, 4] `COUNTS` of each action unit; present where p >= its threshold."""

    def __init__(self, target: np.ndarray, unit: np.ndarray, units: int, thresholds: np.ndarray):
        self.segments = GroupReducer(unit, units)
        self.thresholds = np.asarray(thresholds, dtype=np.float64).reshape(-1, 1)
        self.truth = np.ascontiguousarray(target.T == 1)
        self.positive = self.segments.sum(self.truth)

    def __call__(self, block: np.ndarray) -> np.ndarray:
        segments = self.segments
        if not len(segments.starts):
            return np.zeros((segments.units, len(block), len(COUNTS)), dtype=np.int64)
        predicted = block >= self.thresholds
        tp = segments.sum(predicted & self.truth)
        fp, fn = segments.sum(predicted) - tp, self.positive - tp
        return segments.scatter(np.stack([tp, fp, fn, segments.sizes - tp - fp - fn], axis=-1).transpose(1, 0, 2))
