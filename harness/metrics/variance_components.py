"""Means and variances of scores over trainings of a backbone and seeds of the head."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np


def mean_by_group(values: np.ndarray, groups: Sequence[int] | None) -> np.ndarray:
    """Compute the mean over the seeds of each group.

    Parameters
    ----------
    values : ndarray of float, shape (S, ...)
        Scores of S seeds.
    groups : sequence of int or None
        Group of each seed; None if each seed is a group.

    Returns
    -------
    ndarray of float, shape (I, ...)
        Means of I groups, in the order of their numbers.

    Examples
    --------
    >>> import numpy as np
    >>> mean_by_group(np.array([1.0, 3.0, 5.0]), [0, 0, 1]).tolist()
    [2.0, 5.0]
    """
    if groups is None:
        return values
    import numpy as np

    numbers = np.asarray(groups)
    return np.stack([values[numbers == number].mean(axis=0) for number in np.unique(numbers)])


@dataclass(frozen=True)
class VarianceComponents:
    """Standard deviations of a score.

    Attributes
    ----------
    trainings : float or None
        Between trainings of the backbone; None for one training. If no training has several seeds, the value
        includes the deviation between seeds.
    seeds : float or None
        Between seeds of the head on one training; None if no training has several seeds.
    total : float or None
        Over both trainings and seeds; None if there is only one score.
    """

    trainings: float | None
    seeds: float | None
    total: float | None


def variance_components(groups: Sequence[Sequence[float]]) -> VarianceComponents:
    """Estimate the variance between and within groups by a one-way analysis of variance with random effects.

    The variance within groups is the mean square within groups, MSW. The variance between groups is (MSB - MSW) / n0,
    where MSB is the mean square between groups; a negative result is set to 0. n0 is the number of scores of each
    group; for unequal groups it is (N - sum of n_i^2 / N) / (I - 1), with N scores in I groups.

    Parameters
    ----------
    groups : sequence of sequence of float
        Scores of the seeds of each training; at least one score.

    Returns
    -------
    VarianceComponents

    References
    ----------
    Searle, Casella and McCulloch (1992), Variance Components, ch. 3.6.

    Examples
    --------
    >>> found = variance_components([[0.50, 0.52], [0.60, 0.62], [0.70, 0.72]])
    >>> round(found.trainings, 4), round(found.seeds, 4), round(found.total, 4)
    (0.0995, 0.0141, 0.1005)
    """
    sizes, means = [len(group) for group in groups], [statistics.fmean(group) for group in groups]
    count, degrees = sum(sizes), sum(sizes) - len(sizes)
    squares = math.fsum((value - mean) ** 2 for group, mean in zip(groups, means) for value in group)
    within = squares / degrees if degrees else None
    seeds = None if within is None else math.sqrt(within)
    if len(groups) == 1:
        return VarianceComponents(None, seeds, seeds)
    center = math.fsum(value for group in groups for value in group) / count
    between = math.fsum(size * (mean - center) ** 2 for size, mean in zip(sizes, means)) / (len(groups) - 1)
    size = (count - sum(size**2 for size in sizes) / count) / (len(groups) - 1)
    trainings = max(0.0, between - (within or 0.0)) / size
    return VarianceComponents(math.sqrt(trainings), seeds, math.sqrt(trainings + (within or 0.0)))
