"""Metrics of pooled statistics, and their gradients.

The statistics of each unit (a video, or a subject of still images) are converted to columns that can be added up over
units; every metric is a function of the sums. A class or an action unit has three columns: the numbers of true
positives, of labeled frames and of predicted frames. Valence and arousal have six columns each: the number of frames,
and the sums, sums of squares and sum of products of labels and predictions, as deviations from a common center.

S is the number of sets of statistics, one for each seed of one or more runs. K is the number of columns, V the number
of units, and R the number of sums for which a metric is computed at once.
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
"""Bits to which the columns of valence and arousal are rounded, so that any sum of them is exact in float64. The sums
then do not depend on the order of summation, which differs between machines and numbers of threads.
"""
F1_BLOCKS = {"expr": ("P_EXPR", EXPRESSIONS), "au": ("P_AU", ACTION_UNITS)}
"""Output blocks whose metric is a mean F1, each with the name of this metric and the names of its classes."""
CCC_NAMES = ("CCC_V", "CCC_A")


class PooledStatistics:
    """Sets of statistics, converted to columns that add up over units.

    Parameters
    ----------
    sets : sequence of SufficientStatistics
        S sets, of the same task and units.
    many_in_groups : bool, default=True
        Whether units are combined into random groups if there are many; see
        `harness.metrics.resampling.random_groups`.

    Attributes
    ----------
    rows : ndarray of float64, shape (S, K, V)
        Columns of each unit that has labeled rows, or of each random group of such units.
    has_rows : ndarray of bool
        Whether each unit of the statistics has rows with a valid label.
    units : int
        Number of units that have labeled rows, before any grouping.
    task : str
    columns : dict of str to slice
        Columns of each output block.

    Raises
    ------
    InputError
        If the sets differ in task or number of units.
    """

    def __init__(self, sets: Sequence[SufficientStatistics], many_in_groups: bool = True) -> None:
        kinds = {(each.task, *(values.shape for values in each.arrays.values())) for each in sets}
        if len(kinds) != 1:
            raise InputError("statistics can be pooled only if all count the same units of the same task")
        self.task = sets[0].task
        self.columns: dict[str, slice] = {}
        self.floor, parts, end = 0.0, [], 0
        for block in sets[0].arrays:
            part = self._additive_columns(block, np.stack([each.arrays[block] for each in sets]))
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

    def total(self) -> np.ndarray:
        """Compute the sums over all units, shape (S, K, 1)."""
        return self.rows.sum(axis=-1, keepdims=True)

    def leave_one_out(self) -> np.ndarray:
        """Compute the sums over all units but one, leaving out each unit in turn, shape (S, K, V)."""
        return self.total() - self.rows

    def metric(self, metric: str, sums: np.ndarray) -> np.ndarray:
        """Compute one metric from sums of columns.

        Parameters
        ----------
        metric : str
            Name of a metric of the task.
        sums : ndarray of float64, shape (..., K, R)

        Returns
        -------
        ndarray of float64, shape (..., R)

        Raises
        ------
        InputError
            If the task has no such metric.
        """
        values = self.metrics(sums)
        if metric not in values:
            raise unknown_name_error("metric", metric, values)
        return values[metric]

    def metrics(self, sums: np.ndarray) -> dict[str, np.ndarray]:
        """Compute all metrics of the task from sums of columns.

        Parameters
        ----------
        sums : ndarray of float64, shape (..., K, R)

        Returns
        -------
        dict of str to ndarray of float64, shape (..., R)
            By metric, the primary one first; undefined metrics are 0.
        """
        values: dict[str, np.ndarray] = {}
        for block, columns in self.columns.items():
            part = sums[..., columns, :]
            if block == "va":
                concordances = [self._concordance(part, i) for i in range(2)]
                values |= {"P_VA": (concordances[0] + concordances[1]) / 2, **dict(zip(CCC_NAMES, concordances))}
                continue
            right, labeled, predicted = np.split(part, 3, axis=-2)
            scores, _ = f1(right, predicted - right, labeled - right)
            primary, names = F1_BLOCKS[block]
            values[primary] = scores.mean(axis=-2)
            if block == "expr":
                values["accuracy"] = _safe_divide(right.sum(axis=-2), labeled.sum(axis=-2))
            values |= {f"F1/{name}": scores[..., i, :] for i, name in enumerate(names)}
        if self.task == "mtl":
            values = {"P_MTL": values["P_VA"] + values["P_EXPR"] + values["P_AU"], **values}
        return values

    def gradients(self, metric: str, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Compute the derivatives of a metric with respect to its columns.

        A metric does not change when all sums are multiplied by the same factor, so the gradient times the sums is 0.
        The influence of a unit (infinitesimal jackknife) is thus the gradient times the columns of the unit, without
        centering.

        Parameters
        ----------
        metric : str
        sums : ndarray of float64, shape (S, K, R)

        Returns
        -------
        columns : ndarray of int, shape (k,)
            The k columns on which the metric depends.
        gradients : ndarray of float64, shape (S, k, R)
        """
        parts = [part for block in self.columns if (part := self._block_gradients(block, metric, sums)) is not None]
        return np.concatenate([columns for columns, _ in parts]), np.concatenate([slope for _, slope in parts], axis=1)

    def _additive_columns(self, block: str, values: np.ndarray) -> np.ndarray:
        """Convert the statistics of a block, shape (S, V, ...), to its k columns, shape (S, k, V)."""
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
        self.center = _pooled_means(n[..., 0], means)
        offset = means - self.center
        products = np.stack([offset[..., 0] ** 2, offset[..., 1] ** 2, offset.prod(axis=-1)], axis=-1)
        columns = np.concatenate([n, n * offset, values[..., 3:] + n * products], axis=-1)
        columns = columns.reshape(*columns.shape[:2], -1).transpose(0, 2, 1)
        total = 4 * np.abs(columns).sum(axis=-1).max(initial=1.0)
        grid = 2.0 ** (math.ceil(math.log2(total)) - EXACT_BITS)
        self.floor = 4 * grid * columns.shape[-1]
        return np.round(columns / grid) * grid

    def _concordance(self, part: np.ndarray, which: int) -> np.ndarray:
        """Compute the CCC of valence (`which` 0) or arousal (1) from sums of the 12 columns of block `va`.

        Sums of squares that are no larger than rounding errors are set to 0.
        """
        n, true, pred, ss_true, ss_pred, ss_both = np.moveaxis(part[..., 6 * which : 6 * which + 6, :], -2, 0)
        count = np.maximum(n, 1)
        squares = [ss_true - true * true / count, ss_pred - pred * pred / count]
        squares = [np.where(square > self.floor, square, 0) for square in squares]
        means = [self.center[which, 0] + true / count, self.center[which, 1] + pred / count]
        return concordance(np.stack([n, *means, *squares, ss_both - true * pred / count], axis=-1))[0]

    def _block_gradients(self, block: str, metric: str, sums: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
        """Compute the part of `gradients` that belongs to a block; None if the metric does not depend on it."""
        start, part = self.columns[block].start, sums[:, self.columns[block]]
        if block == "va":
            weight = {"P_MTL": 1 / 2, "P_VA": 1 / 2}.get(metric, 1)
            indices = [i for i in range(2) if metric in ("P_MTL", "P_VA", CCC_NAMES[i])]
            if not indices:
                return None
            slopes = [self._concordance_gradients(part, i) * weight for i in indices]
            return start + np.concatenate([np.arange(6) + 6 * i for i in indices]), np.concatenate(slopes, axis=1)
        primary, names = F1_BLOCKS[block]
        right, labeled, predicted = np.split(part, 3, axis=1)
        if metric == "accuracy" and block == "expr":
            rows = labeled.sum(axis=1, keepdims=True)
            slope = _safe_divide(np.ones_like(rows), rows)
            parts = [slope, -slope * _safe_divide(right.sum(axis=1, keepdims=True), rows)]
            return start + np.arange(2 * len(names)), np.concatenate(
                np.broadcast_arrays(*[parts[0]] * len(names), *[parts[1]] * len(names)), axis=1
            )
        indices = [i for i, name in enumerate(names) if metric in ("P_MTL", primary, f"F1/{name}")]
        if not indices:
            return None
        right, denominator = right[:, indices], (labeled + predicted)[:, indices]
        slope = _safe_divide(2 * np.ones_like(denominator), denominator) / len(indices)
        denominator_slope = -slope * _safe_divide(right, denominator)
        columns = np.concatenate([np.array(indices) + len(names) * i for i in range(3)])
        return start + columns, np.concatenate([slope, denominator_slope, denominator_slope], axis=1)

    def _concordance_gradients(self, part: np.ndarray, which: int) -> np.ndarray:
        """Compute the derivatives of a CCC with respect to its six columns; 0 if the CCC is undefined."""
        n, true, pred, ss_true, ss_pred, _ = np.moveaxis(part[:, 6 * which : 6 * which + 6], 1, 0)
        count = np.maximum(n, 1)
        centers_apart = self.center[which, 0] - self.center[which, 1]
        apart = true - pred + n * centers_apart
        denominator = ss_true - true**2 / count + ss_pred - pred**2 / count + apart**2 / count
        score = self._concordance(part, which)
        gap = 2 * apart / count
        squared = (true**2 + pred**2 - apart**2) / count**2
        numerator_slopes = [2 * true * pred / count**2, -2 * pred / count, -2 * true / count, 0, 0, 2]
        denominator_slopes = [squared + gap * centers_apart, gap - 2 * true / count, -gap - 2 * pred / count, 1, 1, 0]
        slopes = np.stack([up - score * down for up, down in zip(numerator_slopes, denominator_slopes)], axis=1)
        return _safe_divide(slopes, np.where(score != 0, denominator, 0)[:, None])


def _safe_divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Divide, with 0 where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(numerator, denominator)
    return np.divide(numerator, denominator, out=np.zeros(denominator.shape), where=denominator != 0)


def _pooled_means(n: np.ndarray, means: np.ndarray) -> np.ndarray:
    """Compute the means of labels and predictions over all rows of all units, for valence and arousal.

    They are computed as an offset from the means of one unit, so that the mean of a constant column is exact.

    Parameters
    ----------
    n : ndarray, shape (S, V, 2)
        Numbers of rows.
    means : ndarray, shape (S, V, 2, 2)
        Means within each unit.

    Returns
    -------
    ndarray, shape (2, 2)
    """
    n, means = n.reshape(-1, 2), means.reshape(-1, 2, 2)
    first = means[n[:, 0].argmax()] if len(n) else np.zeros((2, 2))
    return first + (n[..., None] * (means - first)).sum(axis=0) / max(n[:, 0].sum(), 1)
