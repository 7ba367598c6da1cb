"""Confidence intervals for figures, computed over units (videos or subjects) as for the leaderboards."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.effective_units import effective_number
from harness.metrics.intervals import confidence_interval
from harness.metrics.jackknife import Jackknife
from harness.metrics.limits import share_limits
from harness.metrics.paired_tests import paired_permutation_test
from harness.metrics.resampling import random_groups
from harness.metrics.unit_statistics import SufficientStatistics

PERMUTATIONS = 1000
LEVEL = 0.95


def metric_interval(statistics: SufficientStatistics, metric: str) -> np.ndarray:
    """Return low and high end of the confidence interval of a metric; NaN with fewer than two scored units."""
    interval = confidence_interval([statistics], metric, LEVEL)
    return _bounds_array(interval.low, interval.high)


def change_interval(after: SufficientStatistics, before: SufficientStatistics, metric: str) -> np.ndarray:
    """Return low and high end of the confidence interval of `after` - `before`; NaN with fewer than two units."""
    result = paired_permutation_test([after], [before], metric, permutations=PERMUTATIONS)
    return _bounds_array(result.low, result.high)


def ratio_interval(part: np.ndarray, whole: np.ndarray, low: float = 0.0) -> np.ndarray:
    """Compute confidence intervals of the ratios sum(part) / sum(whole) over units.

    The limits are jackknife limits (see `harness.metrics.limits.share_limits`), extended to include the ratio.

    Parameters
    ----------
    part, whole : ndarray of shape (V, B)
        Sums of each of V units, for B ratios.
    low : float
        Lowest possible ratio; the highest is 1.

    Returns
    -------
    ndarray of shape (2, B)
        Low and high end; NaN for a ratio to which fewer than two units contribute.
    """
    bounds = np.full((2, whole.shape[1]), np.nan)
    several = (whole > 0).sum(axis=0) > 1
    if not several.any():
        return bounds
    part, whole = (random_groups(np.asarray(values, dtype=np.float64).T[several]) for values in (part, whole))
    share = (part - low * whole) / (1 - low)
    total, rest = whole.sum(axis=1), whole.sum(axis=1, keepdims=True) - whole
    ratios = Jackknife(share.sum(axis=1) / total, (share.sum(axis=1, keepdims=True) - share) / rest)
    limits = share_limits(ratios, effective_number(whole), LEVEL)
    ends = np.minimum(limits.low, ratios.values), np.maximum(limits.high, ratios.values)
    bounds[:, several] = low + (1 - low) * np.array(ends)
    return bounds


def format_interval(bounds: Sequence[float] | np.ndarray, digits: int = 2) -> str:
    """Format an interval as ` [low, high]`, or as an empty string if it is NaN."""
    return "" if np.isnan(bounds).any() else f" [{bounds[0]:z.{digits}f}, {bounds[1]:z.{digits}f}]"


def _bounds_array(low: float | None, high: float | None) -> np.ndarray:
    return np.array([np.nan if end is None else end for end in (low, high)])
