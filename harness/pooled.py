"""Statistics of units as columns that add up, and the task's metrics of any sum of them.

S: sets of statistics (seeds, or seeds of two runs) of the same V units; K: columns. Of a class or an action unit the
columns are true positives, labelled and predicted; of valence and arousal the count, sums, squares and product about
one centre for all sets.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import InputError, unknown
from harness.metrics import concordance, f1
from harness.resampling import grouped
from harness.tasks import ACTION_UNITS, EXPRESSIONS

if TYPE_CHECKING:
    from harness.statistics import UnitStatistics

EXACT_BITS = 52
"""Columns are rounded so that any sum of them fits a float64 exactly: then its bits do not depend on the order of
summation, which differs between machines and numbers of threads."""


class Pooled:
    """`rows`: float64 [S, K, V], units without a row that counts left out, many units in random groups."""

    def __init__(self, sets: Sequence[UnitStatistics], many_in_groups: bool = True):
        """held: bool, the units of the statistics that are in `rows`; units: their number, before any grouping.

        InputError unless all sets are of one task and the same number of units."""
        kinds = {(one.task, *(values.shape for values in one.arrays.values())) for one in sets}
        if len(kinds) != 1:
            raise InputError("statistics can be put side by side when all count the same units of the same task")
        self.task = sets[0].task
        self.columns: dict[str, slice] = {}
        self.floor, parts, end = 0.0, [], 0
        for block in sets[0].arrays:
            part = self._columns(block, np.stack([one.arrays[block] for one in sets]))
            self.columns[block] = slice(end, end := end + part.shape[1])
            parts.append(part)
        rows = np.concatenate(parts, axis=1)
        self.held = rows.any(axis=(0, 1))
        self.units = int(self.held.sum())
        rows = rows if self.held.all() else rows[..., self.held]
        self.rows = np.ascontiguousarray(grouped(rows) if many_in_groups else rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """S, K and the number of units or groups."""
        return self.rows.shape

    def weighted(self, weights: np.ndarray) -> np.ndarray:
        """[S, K, R]: sums over units with weights [R, V]."""
        sets, columns, units = self.shape
        return (self.rows.reshape(-1, units) @ weights.T).reshape(sets, columns, -1)

    def _columns(self, block: str, values: np.ndarray) -> np.ndarray:
        """Statistics [S, V, ...] of a block -> float64 [S, k, V]."""
        if block == "va":
            return self._moments(values)
        if block == "expr":
            right = np.diagonal(values, axis1=-2, axis2=-1)
            parts = right, values.sum(axis=-1), values.sum(axis=-2)
        else:
            right = values[..., 0]
            parts = right, right + values[..., 2], right + values[..., 1]
        return np.concatenate(parts, axis=-1).astype(np.float64).transpose(0, 2, 1)

    def _moments(self, values: np.ndarray) -> np.ndarray:
        n, means = values[..., 0], values[..., 1:3]
        self.centre = _centre(n, means)
        away = means - self.centre
        sums = [n[..., None], n[..., None] * away,
                values[..., 3:] + n[..., None] * np.stack([*np.moveaxis(away ** 2, -1, 0), away.prod(-1)], axis=-1)]
        columns = np.concatenate(sums, axis=-1)
        columns = columns.reshape(*columns.shape[:2], -1).transpose(0, 2, 1)
        total = np.abs(columns).sum(axis=-1).max(initial=1.0) * 4
        grid = 2.0 ** (math.ceil(math.log2(total)) - EXACT_BITS)
        self.floor = 4 * grid * columns.shape[-1]
        return np.round(columns / grid) * grid

    def of(self, metric: str, sums: np.ndarray) -> np.ndarray:
        """One metric [..., R] of sums [..., K, R]; InputError for a name that is none of the task's."""
        values = self.metrics(sums)
        if metric not in values:
            raise unknown("metric", metric, values)
        return values[metric]

    def total(self) -> np.ndarray:
        """[S, K, 1]: sums over all units."""
        return self.rows.sum(axis=-1, keepdims=True)

    def without_each(self) -> np.ndarray:
        """[S, K, V]: sums over all units but one."""
        return self.total() - self.rows

    def metrics(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Sums [..., K, R] -> each metric of the task [..., R], its own first; what is undefined is 0."""
        values: dict[str, np.ndarray] = {}
        for block, columns in self.columns.items():
            part = sums[..., columns, :]
            if block == "va":
                values |= self._affect(part)
                continue
            primary, names = ("P_EXPR", EXPRESSIONS) if block == "expr" else ("P_AU", ACTION_UNITS)
            right, labelled, predicted = np.split(part, 3, axis=-2)
            scores, _ = f1(right, predicted - right, labelled - right)
            values[primary] = scores.mean(axis=-2)
            if block == "expr":
                rows = labelled.sum(axis=-2)
                values["accuracy"] = np.divide(right.sum(axis=-2), rows, out=np.zeros(rows.shape), where=rows > 0)
            values |= {f"F1/{name}": scores[..., i, :] for i, name in enumerate(names)}
        if self.task == "mtl":
            values = {"P_MTL": values["P_VA"] + values["P_EXPR"] + values["P_AU"], **values}
        return values

    def _affect(self, part: np.ndarray) -> dict[str, np.ndarray]:
        scores = [self._concordance(part[..., start:start + 6, :], self.centre[i]) for i, start in enumerate((0, 6))]
        return {"P_VA": (scores[0] + scores[1]) / 2, "CCC_V": scores[0], "CCC_A": scores[1]}

    def _concordance(self, sums: np.ndarray, centre: np.ndarray) -> np.ndarray:
        """Sums [..., 6, R] about `centre` -> CCC [..., R]; a square within rounding of 0 is 0."""
        n, true, pred, ss_true, ss_pred, ss_both = np.moveaxis(sums, -2, 0)
        some = np.maximum(n, 1)
        squares = [ss_true - true * true / some, ss_pred - pred * pred / some]
        squares = [np.where(square > self.floor, square, 0) for square in squares]
        means = [centre[0] + true / some, centre[1] + pred / some]
        return concordance(np.stack([n, *means, *squares, ss_both - true * pred / some], axis=-1))[0]


def _centre(n: np.ndarray, means: np.ndarray) -> np.ndarray:
    """[2, 2] pooled means of label and prediction, reached from one unit's so that a constant is met exactly.

    n: [S, V, 2]; means: [S, V, 2, 2].
    """
    n, means = n.reshape(-1, 2), means.reshape(-1, 2, 2)
    first = means[n[:, 0].argmax()] if len(n) else np.zeros((2, 2))
    return first + (n[..., None] * (means - first)).sum(axis=0) / max(n[:, 0].sum(), 1)
