"""Delete-one-unit jackknife of scores: bias, influence of each unit, and standard errors.

Every metric is a function of sums over units (videos, subjects). The scores with each unit left out in turn are
therefore computed all at once, from the total minus that unit's part. S is the number of seeds, V the number of
units with rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.variance_components import mean_by_group


@dataclass(frozen=True, eq=False)
class Jackknife:
    """Scores with all units, and without each of them.

    Scores of several seeds, runs or classes stand in the leading axes. Jackknives of the same units can be subtracted:
    the result is the jackknife of the difference.

    Attributes
    ----------
    values : ndarray of float64, shape (...)
        Scores with all units.
    without : ndarray of float64, shape (..., V)
        Scores with each unit left out in turn.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 11.

    Examples
    --------
    >>> of_a_mean = Jackknife(np.array(2.0), (6.0 - np.array([1.0, 2.0, 3.0])) / 2)
    >>> round(of_a_mean.standard_error().item(), 4), of_a_mean.bias().item()
    (0.5774, 0.0)
    """

    values: np.ndarray
    without: np.ndarray

    def __sub__(self, other: Jackknife) -> Jackknife:
        return Jackknife(self.values - other.values, self.without - other.without)

    @property
    def units(self) -> int:
        """Number of units, V."""
        return self.without.shape[-1]

    def mean(self) -> Jackknife:
        """Average over the first axis, such as the seeds."""
        return Jackknife(self.values.mean(axis=0), self.without.mean(axis=0))

    def influence(self) -> np.ndarray:
        """Compute the influence of each unit on each score.

        It is ``(V - 1) (mean of without - without)``; the mean over units is 0.
        """
        return (self.units - 1) * (self.without.mean(axis=-1, keepdims=True) - self.without)

    def bias(self) -> np.ndarray:
        """Estimate the bias of each score, to the order of 1 / V."""
        return (self.units - 1) * (self.without.mean(axis=-1) - self.values)

    def corrected(self) -> np.ndarray:
        """Compute the scores minus their bias. The results may be slightly outside the range of the metric."""
        return self.values - self.bias()

    def standard_error(self) -> np.ndarray:
        """Estimate the standard error over units of each score."""
        return np.sqrt(np.sum(self.influence() ** 2, axis=-1) / (self.units * (self.units - 1)))

    def seed_error(self, groups: Sequence[int] | None = None) -> np.ndarray:
        """Estimate the standard error of the mean over seeds that is due to the seeds alone.

        The seeds are the first axis. If one seed is better than another on all units alike, the mean over seeds depends
        on which seeds were drawn. `standard_error` does not include this error. The square of the result is a variance
        divided by the number of seeds: the variance between seeds, minus the part that would arise if seeds differed
        independently on each unit (two-way analysis of variance of the influences).

        Parameters
        ----------
        groups : sequence of int, optional
            Group of each seed. The error is then computed from the mean scores of the groups. Each group counts in
            proportion to its number of seeds, as it does in the mean over seeds.

        Returns
        -------
        ndarray of float64, shape (...) without the first axis
            Standard errors; 0 where the variance estimate is negative, and for a single seed, group or unit.
        """
        if groups is not None:
            sizes = np.unique(groups, return_counts=True)[1]
            by_group = Jackknife(mean_by_group(self.values, groups), mean_by_group(self.without, groups))
            return by_group.seed_error() * np.sqrt(len(sizes) * np.sum(sizes**2) / np.sum(sizes) ** 2)
        seeds = len(self.values)
        if seeds < 2 or self.units < 2:
            return np.zeros(self.values.shape[1:])
        influence = self.influence()
        interaction = influence - influence.mean(axis=0)
        explained = np.sum(interaction**2, axis=(0, -1)) / ((seeds - 1) * (self.units - 1) * self.units)
        return np.sqrt(np.maximum(0, self.values.var(axis=0, ddof=1) - explained) / seeds)
