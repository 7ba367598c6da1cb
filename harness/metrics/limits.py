"""Confidence limits of single scores (F1 of a class, accuracy, concordance) from their jackknife over units.

k is the number of scores, V the number of units (videos, subjects).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.metrics.jackknife import Jackknife

LEAST_FREEDOM = 0.05
"""Smallest degrees of freedom of Student's t; its quantiles are practically infinite there."""
LARGEST_DECREASE, LARGEST_INCREASE = 0.5, 0.99
"""Limits of the bias correction of a share (F1 or accuracy): the largest decrease, as a fraction of the distance from
0, and the largest increase, as a fraction of the distance from 1. The first limit ensures that one bad video among few
does not give a corrected score of 0. The second is wider, because F1 over few units is too low on average, so most
corrections are increases."""
TINY = 1e-8
"""Standard errors below this are rounding errors, and concordances this close to 1 or -1 are perfect."""


@dataclass(frozen=True, eq=False)
class Limits:
    """Confidence limits of several scores.

    Attributes
    ----------
    center : ndarray of float64, shape (k,)
        Scores corrected for bias.
    low, high : ndarray of float64, shape (k,)
        Lower and upper limit of each score.
    """

    center: np.ndarray
    low: np.ndarray
    high: np.ndarray


def share_limits(scores: Jackknife, effective: np.ndarray, level: float) -> Limits:
    """Compute confidence limits of scores that are ratios of numbers of frames: F1 and accuracy.

    The corrected score is treated as a proportion of independent observations. The number of observations is the one
    that gives the jackknife's variance, reduced for the degrees of freedom of that variance (Korn and Graubard 1998).
    The limits are those of Jeffreys' interval of the proportion (Brown, Cai and DasGupta 2001). Clopper-Pearson limits
    would be too wide: they covered more than 98% in simulations.

    The correction does not move a score between 0 and 1 to 0 or 1. A score of 0 or 1 has the exact one-sided limit for
    `effective` observations, at a distance of ``1 - (1 - level)^(1 / effective)``. The limits of a class without labels
    are 0 and 1.

    Parameters
    ----------
    scores : Jackknife
        Scores of shape (k,).
    effective : ndarray of float64, shape (k,)
        Effective number of units; see `harness.metrics.effective_units`.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Limits
        Between 0 and 1.

    References
    ----------
    Korn and Graubard (1998), Confidence intervals for proportions with small expected number of positive counts
    estimated from survey data, Survey Methodology 24(2).
    Brown, Cai and DasGupta (2001), Interval estimation for a binomial proportion, Statistical Science 16(2).

    Examples
    --------
    >>> limits = share_limits(Jackknife(np.ones(1), np.ones((1, 12))), np.array([12.0]), 0.95)
    >>> limits.low.round(3).item(), limits.high.item()
    (0.779, 1.0)
    """
    from scipy.special import betaincinv

    center, error = _corrected_shares(scores), scores.standard_error()
    is_inner = (center > 0) & (center < 1)
    size = np.where(is_inner, effective, 0.0)
    varies = is_inner & (error > TINY)
    shrinkage = (t_quantile(np.full_like(center, np.inf), level) / t_quantile(effective - 1, level)) ** 2
    size[varies] = (center * (1 - center) * shrinkage)[varies] / error[varies] ** 2
    hits, misses = center * size + 0.5, (1 - center) * size + 0.5
    low, high = (betaincinv(hits, misses, tail) for tail in ((1 - level) / 2, (1 + level) / 2))
    distance = 1 - (1 - level) ** (1 / np.maximum(effective, 1))
    low = np.where(is_inner, low, np.where(center > 0, 1 - distance, 0))
    high = np.where(is_inner, high, np.where(center > 0, 1, distance))
    return Limits(center, np.where(effective > 0, low, 0), np.where(effective > 0, high, 1))


def concordance_limits(scores: Jackknife, effective: np.ndarray, level: float) -> Limits:
    """Compute confidence limits of concordance correlation coefficients.

    They are Student's t intervals of Fisher's z (Lin 1989) around the corrected z. The standard error is that of the
    jackknife; its degrees of freedom follow from the kurtosis of the influences. The correction of z is at most the
    standard error of z by the delta method: the standard error of the score divided by ``1 - score^2``. Without this
    bound, a single unit could change the sign of a score: if the score without that unit is close to 1, its z is very
    large.

    A perfect concordance has the exact one-sided limit of a share of 1. The concordance of a constant output is always
    0, and so are its limits.

    Parameters
    ----------
    scores : Jackknife
        Scores of shape (k,).
    effective : ndarray of float64, shape (k,)
        Effective number of units, which bounds the degrees of freedom.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    Limits
        Between -1 and 1.

    References
    ----------
    Lin (1989), A concordance correlation coefficient to evaluate reproducibility, Biometrics 45(1).
    Box and Andersen (1955), Permutation theory in the derivation of robust criteria, Journal of the Royal Statistical
    Society B 17(1).

    Examples
    --------
    >>> of_a_constant = Jackknife(np.zeros(1), np.zeros((1, 5)))
    >>> limits = concordance_limits(of_a_constant, np.array([5.0]), 0.95)
    >>> limits.low.item(), limits.high.item()
    (0.0, 0.0)
    """
    values = scores.values
    fisher = Jackknife(_fisher(values), _fisher(scores.without))
    error, largest = fisher.standard_error(), scores.standard_error() / np.maximum(1 - values**2, TINY)
    center = fisher.values - np.clip(fisher.bias(), -largest, largest)
    freedom = np.minimum(effective, _variance_freedom(fisher.influence())) - 1
    varies = error > TINY
    error = np.where(varies | (values == 0), error, 1 / np.sqrt(np.maximum(effective, 1)))
    margin = t_quantile(freedom, level) * error
    low, high, center = np.tanh(center - margin), np.tanh(center + margin), np.tanh(center)
    is_perfect, distance = np.abs(values) > 1 - TINY, 1 - (1 - level) ** (1 / np.maximum(effective, 1))
    low = np.where(is_perfect, np.where(values > 0, 1 - distance, -1), low)
    high = np.where(is_perfect, np.where(values > 0, 1, distance - 1), high)
    return Limits(np.where(is_perfect, values, center), low, high)


def t_quantile(freedom: np.ndarray, level: float) -> np.ndarray:
    """Compute the two-sided quantile of Student's t; infinite degrees of freedom give the normal quantile.

    Examples
    --------
    >>> t_quantile(np.array([4.0, np.inf]), 0.95).round(3).tolist()
    [2.776, 1.96]
    """
    from scipy.special import ndtri, stdtrit

    is_finite = np.isfinite(freedom)
    bounded = np.maximum(np.where(is_finite, freedom, 1.0), LEAST_FREEDOM)
    return np.where(is_finite, stdtrit(bounded, (1 + level) / 2), ndtri((1 + level) / 2))


def _corrected_shares(scores: Jackknife) -> np.ndarray:
    """Correct shares for bias; shares between 0 and 1 do not become 0 or 1."""
    values, corrected = scores.values, scores.corrected()
    low, high = (1 - LARGEST_DECREASE) * values, values + LARGEST_INCREASE * (1 - values)
    return np.where((values > 0) & (values < 1), np.clip(corrected, low, high), np.clip(corrected, 0, 1))


def _fisher(values: np.ndarray) -> np.ndarray:
    return np.arctanh(np.clip(values, -1 + TINY, 1 - TINY))


def _variance_freedom(influence: np.ndarray) -> np.ndarray:
    """Compute the degrees of freedom of the variance of each score's influences from their kurtosis."""
    squares, units = np.sum(influence**2, axis=-1), influence.shape[-1]
    kurtosis = np.divide(
        units * np.sum(influence**4, axis=-1), squares**2, out=np.full_like(squares, 3.0), where=squares > 0
    )
    return 2 * units / np.maximum(kurtosis - 1, 1e-3)
