"""Statistics of units as columns that add up, the task's metrics of any sum of them, and the metrics' slopes.

S: sets of statistics (seeds, or seeds of two runs) of the same V units; K: columns. Of a class or an action unit the
columns are true positives, labelled and predicted; of valence and arousal the count, sums, squares and product about
one centre for all sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.counts import concordance, f1
from harness.metrics.resampling import random_groups
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.utils.errors import InputError, unknown_name_error

if TYPE_CHECKING:
    from harness.metrics.unit_statistics import SufficientStatistics

EXACT_BITS = 52
"""Columns are rounded so that any sum of them fits a float64 exactly: then its bits do not depend on the order of
summation, which differs between machines and numbers of threads."""
F1_BLOCKS = {"expr": ("P_EXPR", EXPRESSIONS), "au": ("P_AU", ACTION_UNITS)}
CCC_NAMES = ("CCC_V", "CCC_A")


class PooledStatistics:
    """`rows`: float64 [S, K, V], units without a row that counts left out, many units in random groups."""

    def __init__(self, sets: Sequence[SufficientStatistics], many_in_groups: bool = True):
        """held: bool, the units of the statistics that are in `rows`; units: their number, before any grouping.

        InputError unless all sets are of one task and the same number of units.
        """
        kinds = {(one.task, *(values.shape for values in one.arrays.values())) for one in sets}
        if len(kinds) != 1:
            raise InputError("statistics can be put side by side when all count the same units of the same task")
        self.task = sets[0].task
        self.columns: dict[str, slice] = {}
        self.floor, parts, end = 0.0, [], 0
        for block in sets[0].arrays:
            part = self._additive_columns(block, np.stack([one.arrays[block] for one in sets]))
            self.columns[block] = slice(end, end := end + part.shape[1])
            parts.append(part)
        rows = np.concatenate(parts, axis=1)
        self.has_rows = rows.any(axis=(0, 1))
        self.units = int(self.has_rows.sum())
        rows = rows if self.has_rows.all() else rows[..., self.has_rows]
        self.rows = np.ascontiguousarray(random_groups(rows) if many_in_groups else rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """S, K and the number of units or groups."""
        return self.rows.shape

    def weighted_sum(self, weights: np.ndarray) -> np.ndarray:
        """[S, K, R]: sums over units with weights [R, V]."""
        sets, columns, units = self.shape
        return (self.rows.reshape(sets * columns, units) @ weights.T).reshape(sets, columns, -1)

    def total(self) -> np.ndarray:
        """[S, K, 1]: sums over all units."""
        return self.rows.sum(axis=-1, keepdims=True)

    def leave_one_out(self) -> np.ndarray:
        """[S, K, V]: sums over all units but one."""
        return self.total() - self.rows

    def metric(self, metric: str, sums: np.ndarray) -> np.ndarray:
        """One metric [..., R] of sums [..., K, R]; InputError for a name that is none of the task's."""
        values = self.metrics(sums)
        if metric not in values:
            raise unknown_name_error("metric", metric, values)
        return values[metric]

    def metrics(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Sums [..., K, R] -> each metric of the task [..., R], its own first; what is undefined is 0."""
        values: dict[str, np.ndarray] = {}
        for block, columns in self.columns.items():
            part = sums[..., columns, :]
            if block == "va":
                scores = [self._concordance(part, i) for i in range(2)]
                values |= {"P_VA": (scores[0] + scores[1]) / 2, **dict(zip(CCC_NAMES, scores))}
                continue
            right, labelled, predicted = np.split(part, 3, axis=-2)
            scores, _ = f1(right, predicted - right, labelled - right)
            primary, names = F1_BLOCKS[block]
            values[primary] = scores.mean(axis=-2)
            if block == "expr":
                values["accuracy"] = _safe_divide(right.sum(axis=-2), labelled.sum(axis=-2))
            values |= {f"F1/{name}": scores[..., i, :] for i, name in enumerate(names)}
        if self.task == "mtl":
            values = {"P_MTL": values["P_VA"] + values["P_EXPR"] + values["P_AU"], **values}
        return values

    def gradients(self, metric: str, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """How a metric changes with its columns at sums [S, K, R]: (int [k] the columns, float64 [S, k, R]).

        No metric changes when all sums grow alike, so that slopes times a unit's columns is its influence.
        """
        parts = [found for block in self.columns if (found := self._block_gradients(block, metric, sums)) is not None]
        return np.concatenate([columns for columns, _ in parts]), np.concatenate([slope for _, slope in parts], axis=1)

    def _additive_columns(self, block: str, values: np.ndarray) -> np.ndarray:
        """Statistics [S, V, ...] of a block -> float64 [S, k, V]."""
        if block == "va":
            return self._moment_columns(values)
        if block == "expr":
            right = np.diagonal(values, axis1=-2, axis2=-1)
            parts = right, values.sum(axis=-1), values.sum(axis=-2)
        else:
            right = values[..., 0]
            parts = right, right + values[..., 2], right + values[..., 1]
        return np.concatenate(parts, axis=-1).astype(np.float64).transpose(0, 2, 1)

    def _moment_columns(self, values: np.ndarray) -> np.ndarray:
        n, means = values[..., :1], values[..., 1:3]
        self.centre = _pooled_means(n[..., 0], means)
        away = means - self.centre
        squares = values[..., 3:] + n * np.stack([away[..., 0] ** 2, away[..., 1] ** 2, away.prod(axis=-1)], axis=-1)
        columns = np.concatenate([n, n * away, squares], axis=-1)
        columns = columns.reshape(*columns.shape[:2], -1).transpose(0, 2, 1)
        total = 4 * np.abs(columns).sum(axis=-1).max(initial=1.0)
        grid = 2.0 ** (math.ceil(math.log2(total)) - EXACT_BITS)
        self.floor = 4 * grid * columns.shape[-1]
        return np.round(columns / grid) * grid

    def _concordance(self, part: np.ndarray, which: int) -> np.ndarray:
        """Sums [..., 12, R] -> CCC [..., R] of valence or arousal; a square within rounding of 0 is 0."""
        n, true, pred, ss_true, ss_pred, ss_both = np.moveaxis(part[..., 6 * which : 6 * which + 6, :], -2, 0)
        some = np.maximum(n, 1)
        squares = [ss_true - true * true / some, ss_pred - pred * pred / some]
        squares = [np.where(square > self.floor, square, 0) for square in squares]
        means = [self.centre[which, 0] + true / some, self.centre[which, 1] + pred / some]
        return concordance(np.stack([n, *means, *squares, ss_both - true * pred / some], axis=-1))[0]

    def _block_gradients(self, block: str, metric: str, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """The part of `gradients` that lies in a block; None where the metric does not look at it."""
        start, part = self.columns[block].start, sums[:, self.columns[block]]
        if block == "va":
            whole = {"P_MTL": 1 / 2, "P_VA": 1 / 2}.get(metric, 1)
            asked = [i for i in range(2) if metric in ("P_MTL", "P_VA", CCC_NAMES[i])]
            found = [(np.arange(6) + 6 * i, self._concordance_gradients(part, i) * whole) for i in asked]
            return (
                (start + np.concatenate([c for c, _ in found]), np.concatenate([s for _, s in found], axis=1))
                if found
                else None
            )
        primary, names = F1_BLOCKS[block]
        right, labelled, predicted = np.split(part, 3, axis=1)
        if metric == "accuracy" and block == "expr":
            rows = labelled.sum(axis=1, keepdims=True)
            slope = _safe_divide(np.ones_like(rows), rows)
            parts = [slope, -slope * _safe_divide(right.sum(axis=1, keepdims=True), rows)]
            return start + np.arange(2 * len(names)), np.concatenate(
                np.broadcast_arrays(*[parts[0]] * len(names), *[parts[1]] * len(names)), axis=1
            )
        asked = [i for i, name in enumerate(names) if metric in ("P_MTL", primary, f"F1/{name}")]
        if not asked:
            return None
        right, counted = right[:, asked], (labelled + predicted)[:, asked]
        slope = _safe_divide(2 * np.ones_like(counted), counted) / len(asked)
        other = -slope * _safe_divide(right, counted)
        columns = np.concatenate([np.array(asked) + len(names) * i for i in range(3)])
        return start + columns, np.concatenate([slope, other, other], axis=1)

    def _concordance_gradients(self, part: np.ndarray, which: int) -> np.ndarray:
        """Sums [S, 12, R] -> slopes of a CCC [S, 6, R] in its six columns; 0 where it is undefined."""
        n, true, pred, ss_true, ss_pred, ss_both = np.moveaxis(part[:, 6 * which : 6 * which + 6], 1, 0)
        some = np.maximum(n, 1)
        apart = true - pred + n * (self.centre[which, 0] - self.centre[which, 1])
        spread = ss_true - true**2 / some + ss_pred - pred**2 / some + apart**2 / some
        score = self._concordance(part, which)
        gap = 2 * apart / some
        squared = (true**2 + pred**2 - apart**2) / some**2
        rises = [2 * true * pred / some**2, -2 * pred / some, -2 * true / some, 0, 0, 2]
        spreads = [
            squared + gap * (self.centre[which, 0] - self.centre[which, 1]),
            gap - 2 * true / some,
            -gap - 2 * pred / some,
            1,
            1,
            0,
        ]
        slopes = np.stack([rise - score * wide for rise, wide in zip(rises, spreads)], axis=1)
        return _safe_divide(slopes, np.where(score != 0, spread, 0)[:, None])


def _safe_divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Part / whole, 0 where the whole is 0."""
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(whole.shape), where=whole != 0)


def _pooled_means(n: np.ndarray, means: np.ndarray) -> np.ndarray:
    """[2, 2] pooled means of label and prediction, reached from one unit's so that a constant is met exactly.

    n: [S, V, 2]; means: [S, V, 2, 2].
    """
    n, means = n.reshape(-1, 2), means.reshape(-1, 2, 2)
    first = means[n[:, 0].argmax()] if len(n) else np.zeros((2, 2))
    return first + (n[..., None] * (means - first)).sum(axis=0) / max(n[:, 0].sum(), 1)
