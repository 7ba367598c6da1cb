"""Confidence intervals in figures: the method of the leaderboards, with fewer bootstrap replicates."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.bootstrap import MIN_RELATIVE_ERROR, ScoreTransform
from harness.metrics.intervals import confidence_interval
from harness.metrics.paired_tests import paired_permutation_test
from harness.metrics.resampling import bootstrap_weights, random_groups
from harness.metrics.unit_statistics import SufficientStatistics

REPLICATES = 1000
LEVEL = 0.95


def metric_interval(statistics: SufficientStatistics, metric: str) -> np.ndarray:
    """Return low and high end of the confidence interval of a metric; NaN with fewer than two scored units."""
    interval = confidence_interval([statistics], metric, level=LEVEL, replicates=REPLICATES)
    return _bounds_array(interval.low, interval.high)


def change_interval(after: SufficientStatistics, before: SufficientStatistics, metric: str) -> np.ndarray:
    """Return low and high end of the confidence interval of a paired difference; NaN with fewer than two units."""
    result = paired_permutation_test([after], [before], metric, permutations=REPLICATES)
    return _bounds_array(result.low, result.high)


def ratio_interval(part: np.ndarray, whole: np.ndarray, low: float = 0.0) -> np.ndarray:
    """Compute confidence intervals of the ratios sum(part) / sum(whole) over units.

    Studentized bootstrap, see `harness.metrics.bootstrap`. Replicates with an empty sum are left out.

    Parameters
    ----------
    part, whole : ndarray of shape (V, B)
        Sums of each of V units.
    low : float
        Lowest possible ratio; the highest is 1.

    Returns
    -------
    ndarray of shape (2, B)
        Low and high end; NaN with fewer than two units in a sum.
    """
    bounds = np.full((2, whole.shape[1]), np.nan)
    several = (whole > 0).sum(axis=0) > 1
    if not several.any():
        return bounds
    part, whole = (random_groups(np.asarray(values, dtype=np.float64).T[several]).T for values in (part, whole))
    value, without = part.sum(0) / whole.sum(0), (part.sum(0) - part) / (whole.sum(0) - whole)
    units = len(part)
    error = np.sqrt((units - 1) / units * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    transform, statistics = ScoreTransform(low, 1), []
    interior = transform.is_interior(value)
    for weights in bootstrap_weights(units, REPLICATES):
        with np.errstate(invalid="ignore", divide="ignore"):
            count, ratio = weights @ whole, (weights @ part) / (weights @ whole)
            squares = weights @ part**2 - 2 * ratio * (weights @ (part * whole)) + ratio**2 * (weights @ whole**2)
            spread = np.sqrt(np.maximum(squares, 0) * units / (units - 1)) / count
        scale = np.maximum(spread, MIN_RELATIVE_ERROR * error)
        difference = np.where(
            interior, (transform.forward(ratio) - transform.forward(value)) / transform.derivative(ratio), ratio - value
        )
        statistics.append(
            np.divide(difference, scale, out=np.where(count > 0, 0, np.nan), where=(count > 0) & (scale > 0))
        )
    tails = np.nanquantile(np.concatenate(statistics), [(1 + LEVEL) / 2, (1 - LEVEL) / 2], axis=0) * error
    ends = np.where(
        interior, transform.inverse(transform.forward(value) - tails * transform.derivative(value)), value - tails
    )
    bounds[:, several] = np.clip([np.minimum(ends[0], value), np.maximum(ends[1], value)], low, 1)
    return bounds


def format_interval(bounds: Sequence[float] | np.ndarray, digits: int = 2) -> str:
    """Format an interval as ` [low, high]`, or as an empty string if it is NaN."""
    return "" if np.isnan(bounds).any() else f" [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def _bounds_array(low: float | None, high: float | None) -> np.ndarray:
    return np.array([np.nan if end is None else end for end in (low, high)])
