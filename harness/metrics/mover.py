"""Limits of a weighted sum of scores from the limits of each score: method of variance estimates recovery (MOVER)."""

from __future__ import annotations

import numpy as np

from harness.metrics.jackknife import Jackknife
from harness.metrics.limits import TINY, Limits


def combine_limits(limits: Limits, weights: np.ndarray, correlation: np.ndarray) -> tuple[float, float, float]:
    """Compute the limits of a weighted sum of scores.

    The distance of each limit from its corrected score is treated as a standard error; errors of different scores have
    the given correlation. The standard error of the weighted sum is then the distance of its limit from the weighted
    sum of the corrected scores.

    Parameters
    ----------
    limits : Limits
        Limits of k scores.
    weights : ndarray of float64, shape (k,)
        Positive weights.
    correlation : ndarray of float64, shape (k, k)

    Returns
    -------
    center, low, high : float

    References
    ----------
    Zou and Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27(10).

    Examples
    --------
    >>> two = Limits(np.array([0.5, 0.5]), np.array([0.2, 0.1]), np.array([0.8, 0.9]))
    >>> [round(end, 3) for end in combine_limits(two, np.array([0.5, 0.5]), np.eye(2))]
    [0.5, 0.25, 0.75]
    """
    center = float(weights @ limits.center)
    below, above = weights * (limits.center - limits.low), weights * (limits.high - limits.center)
    margins = (float(np.sqrt(max(distance @ correlation @ distance, 0.0))) for distance in (below, above))
    return center, center - next(margins), center + next(margins)


def influence_correlation(scores: Jackknife, effective: np.ndarray) -> np.ndarray:
    """Compute the correlation of scores over units.

    Parameters
    ----------
    scores : Jackknife
        Scores of shape (k,).
    effective : ndarray of float64, shape (k,)
        Effective number of units; 0 for a class without labels.

    Returns
    -------
    ndarray of float64, shape (k, k)
        Correlation of the influences. It is 1 between classes without labels and between perfect scores, because their
        errors may have a common cause that does not show in the units.
    """
    influence, error = scores.influence(), scores.standard_error()
    norm = np.linalg.norm(influence, axis=-1, keepdims=True)
    direction = np.divide(influence, norm, out=np.zeros_like(influence), where=error[:, None] > TINY)
    correlation = np.clip(direction @ direction.T, -1, 1)
    for alike in (effective == 0, (error <= TINY) & (scores.values > 1 - TINY)):
        correlation[np.ix_(alike, alike)] = 1
    np.fill_diagonal(correlation, 1)
    return correlation


def combine_errors(
    value: float, low: float, high: float, error: float, seeds: int, level: float
) -> tuple[float, float]:
    """Widen an interval over units by the standard error over seeds.

    The two errors are independent. So the new distance of an end from the value is the root of the sum of two squares:
    those of its old distance and of the margin over seeds.

    Parameters
    ----------
    value : float
        Score or difference.
    low, high : float
        Ends of the interval over units.
    error : float
        Standard error over seeds; see `harness.metrics.jackknife.Jackknife.seed_error`.
    seeds : int
        Number of seeds, or of groups of seeds; the margin over seeds is `error` times the quantile of Student's t with
        ``seeds - 1`` degrees of freedom.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> combine_errors(0.5, 0.4, 0.6, error=0.0, seeds=3, level=0.95)
    (0.4, 0.6)
    """
    if error == 0:
        return low, high
    from scipy.special import stdtrit

    margin = stdtrit(seeds - 1, (1 + level) / 2) * error
    return float(value - np.hypot(value - low, margin)), float(value + np.hypot(high - value, margin))
