"""Limits of a weighted sum of scores from the limits of each: method of variance estimates recovery (MOVER)."""

from __future__ import annotations

import numpy as np

from harness.metrics.jackknife import Jackknife
from harness.metrics.limits import TINY, Limits


def combine_limits(limits: Limits, weights: np.ndarray, correlation: np.ndarray) -> tuple[float, float, float]:
    """Compute the limits of a weighted sum of scores.

    The squared distance of an end from the corrected sum is the variance that the distances of the single limits would
    give as standard errors, with the correlation of the scores.

    Parameters
    ----------
    limits : Limits
        Of k scores.
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


def influence_correlation(scores: Jackknife) -> np.ndarray:
    """Compute the correlation of scores over units.

    Parameters
    ----------
    scores : Jackknife
        Scores of shape (k,).

    Returns
    -------
    ndarray of float64, shape (k, k)
        Correlation of the influences. It is 1 between scores without any variance (a class without labels, a perfect
        score), of which the units tell nothing, and 0 between these and the others.
    """
    influence, error = scores.influence(), scores.standard_error()
    norm = np.linalg.norm(influence, axis=-1, keepdims=True)
    varies = error > TINY
    direction = np.divide(influence, norm, out=np.zeros_like(influence), where=varies[:, None])
    correlation = np.clip(direction @ direction.T, -1, 1)
    correlation[np.ix_(~varies, ~varies)] = 1
    np.fill_diagonal(correlation, 1)
    return correlation
