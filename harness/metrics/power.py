"""What a paired test can detect with a given number of units."""

from __future__ import annotations


def minimum_detectable_effect(deviation: float, level: float = 0.05, power: float = 0.8) -> float:
    """Compute the smallest true difference that a two-sided test detects with a given power.

    ``(z(1 - level / 2) + z(power)) * deviation``, with z the quantiles of the normal distribution.

    Parameters
    ----------
    deviation : float
        Standard deviation of the difference under the null hypothesis; see `PairedTestResult`.
    level : float, default=0.05
        Significance level of the test.
    power : float, default=0.8
        Probability that the test rejects.

    Returns
    -------
    float

    Examples
    --------
    >>> round(minimum_detectable_effect(0.02), 3)
    0.056
    """
    from scipy.special import ndtri

    return float((ndtri(1 - level / 2) + ndtri(power)) * deviation)


def is_underpowered(units: int, level: float = 0.05) -> bool:
    """Return whether no difference can reach a p-value of `level` with so few units.

    The smallest p-value of a permutation test is ``2 ** (1 - units)``, since exchanging all units at once gives a
    difference of the same size.

    Parameters
    ----------
    units : int
    level : float, default=0.05

    Returns
    -------
    bool

    Examples
    --------
    >>> is_underpowered(5), is_underpowered(6)
    (True, False)
    """
    return 2.0 ** (1 - units) > level
