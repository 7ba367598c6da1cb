"""Scores of rows, and what each unit contributes to the differences between them.

A row is one configuration of a board: a sequence of statistics, one for each seed. R is the number of rows, V the
number of units, and K the number of additive columns (see `harness.metrics.pooled`). A metric is not a linear function
of the columns, but nearly linear close to the mean of the rows that are compared. The contribution of a unit to the
difference between two rows is the gradient at that mean, times the difference between the unit's columns in the two
rows. The contributions of all units add up to nearly the difference between the scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.jackknife import Jackknife
from harness.metrics.pooled import CCC_NAMES, F1_BLOCKS, PooledStatistics
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.errors import InputError, unknown_name_error


class RowScores:
    """Scores of rows with the same units.

    Parameters
    ----------
    rows : sequence of sequence of SufficientStatistics
        R rows, each with the statistics of its seeds. Many units are combined into random groups; see
        `harness.metrics.resampling.random_groups`.
    groups : sequence of (sequence of int or None), optional
        Group of each seed of each row, such as the training of the backbone; None if each seed is a group. The error
        over seeds is computed from the groups.

    Attributes
    ----------
    pooled : PooledStatistics
        All seeds of all rows, one row after another.
    counts : ndarray of float64, shape (R, K, V)
        Columns of each row, mean over its seeds.
    seeds : list of int
        Number of seeds of each row.
    repetitions : list of int
        Number of independent repetitions of each row: groups, or seeds if the row has no groups.
    names : tuple of str
        Metrics of the task, the primary one first.

    Raises
    ------
    InputError
        If a row has no seed, the numbers of units or the tasks differ, or no frame has a valid label.
    """

    def __init__(
        self, rows: Sequence[Sequence[SufficientStatistics]], groups: Sequence[Sequence[int] | None] | None = None
    ) -> None:
        if not all(rows):
            raise InputError("a run without statistics cannot be compared")
        self.pooled = PooledStatistics([statistics for row in rows for statistics in row])
        if not self.pooled.units:
            raise InputError("no run has a row with a valid label, so there is nothing to compare")
        self.seeds, self.groups = [len(row) for row in rows], list(groups or [None] * len(rows))
        self.repetitions = [len(set(group)) if group else len(row) for row, group in zip(rows, self.groups)]
        self.slices = [slice(end - len(row), end) for row, end in zip(rows, np.cumsum(self.seeds))]
        self.counts = np.stack([self.pooled.rows[part].mean(axis=0) for part in self.slices])
        self._values = self.pooled.metrics(self.pooled.total())
        self.names = tuple(self._values)

    @property
    def units(self) -> int:
        """Number of units that have a valid label, or of groups of such units."""
        return self.pooled.shape[2]

    def require_metric(self, metric: str) -> None:
        """Raise `InputError` if the task has no such metric."""
        if metric not in self.names:
            raise unknown_name_error("metric", metric, self.names)

    def scores(self, metric: str) -> np.ndarray:
        """Compute the score of each row, averaged over its seeds."""
        return np.array([self._values[metric][part].mean() for part in self.slices])

    def seed_errors(self, metric: str) -> np.ndarray:
        """Estimate the standard error of each row's score that is due to the seeds alone; 0 for a single seed."""
        errors = np.zeros(len(self.seeds))
        for i, part in enumerate(self.slices):
            if self.seeds[i] > 1 and self.units > 1:
                columns = self.pooled.rows[part]
                without = self.pooled.metric(metric, columns.sum(axis=-1, keepdims=True) - columns)
                seeds = Jackknife(self._values[metric][part][:, 0], without)
                errors[i] = seeds.seed_error(self.groups[i])
        return errors

    def shares(self, metric: str) -> np.ndarray:
        """Compute the share of each unit in the metric; the shares sum to 1.

        If a score is changed, the change is divided among the units by these shares. For each part of the metric, a
        unit's share is its fraction of a total: for F1 of the labeled and predicted frames, for a concordance of the
        sums of squares, and for accuracy of the labeled frames. The shares are averaged over the parts.
        """
        counts, blocks = self.counts.mean(axis=0), []
        for block, columns in self.pooled.columns.items():
            parts = [part for part in self._share_parts(block, metric, counts[columns]) if part.sum() > 0]
            blocks += [np.mean([part / part.sum() for part in parts], axis=0)] if parts else []
        return np.mean(blocks, axis=0) if blocks else np.full(self.units, 1 / self.units)

    def contributions(self, metric: str, rows: np.ndarray) -> np.ndarray:
        """Compute the contributions of units to the difference between the score of each row and that of the mean row.

        Parameters
        ----------
        metric : str
        rows : ndarray of int, shape (r,)
            Positions of r rows, whose mean is the mean row.

        Returns
        -------
        ndarray of float64, shape (r, V)
            Contributions with the gradient at the mean row. Since this gradient is the same for all rows, rows may
            exchange their contributions.
        """
        counts = self.counts[rows]
        mean = counts.mean(axis=0)
        columns, gradients = self.pooled.gradients(metric, mean.sum(axis=-1)[None, :, None])
        return np.einsum("k,rkv->rv", gradients[0, :, 0], counts[:, columns] - mean[columns])

    def pair_contributions(self, metric: str, first: int, rows: np.ndarray) -> np.ndarray:
        """Compute the contributions of units to the differences between one row and some others.

        Parameters
        ----------
        metric : str
        first : int
            Position of the row from which the others are subtracted.
        rows : ndarray of int, shape (r,)

        Returns
        -------
        ndarray of float64, shape (r, V)
            Contributions with the gradient at the mean of both rows; their sum is the difference up to terms of third
            order.
        """
        middle = (self.counts[first] + self.counts[rows]).sum(axis=-1) / 2
        columns, gradients = self.pooled.gradients(metric, middle.T[None])
        return np.einsum("kr,rkv->rv", gradients[0], (self.counts[first] - self.counts[rows])[:, columns])

    def _share_parts(self, block: str, metric: str, counts: np.ndarray) -> list[np.ndarray]:
        """For each class of a block that the metric depends on, return the unnormalized shares of the units."""
        if block == "va":
            which = [i for i in range(2) if metric in ("P_MTL", "P_VA", CCC_NAMES[i])]
            return [counts[6 * i + 3] + counts[6 * i + 4] for i in which]
        primary, names = F1_BLOCKS[block]
        _, labeled, predicted = np.split(counts, 3)
        if metric == "accuracy":
            return [labeled.sum(axis=0)] if block == "expr" else []
        which = [i for i, name in enumerate(names) if metric in ("P_MTL", primary, f"F1/{name}")]
        return [labeled[i] + predicted[i] for i in which]
