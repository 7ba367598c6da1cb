"""Statistical power of the tests on boards and between two runs: the minimum differences that they detect."""

from __future__ import annotations

import numpy as np

from harness.metrics.sign_flips import SIGNIFICANCE_LEVEL, RowFlips, critical_value

POWER = 0.8
"""Probability of finding the minimum detectable difference."""
BISECTIONS = 14
LARGEST = 64.0
"""Largest difference that is tried, in standard errors; the range below it is halved `BISECTIONS` times."""
FIRST_LEAD = 4.0
"""Difference for which critical values are first computed, in standard errors."""
ROUNDS = 2
"""Number of iterations: the critical values depend on the detectable difference, and the difference on the critical
values. A third iteration changes the difference by less than 1%."""


def is_underpowered(units: int) -> bool:
    """Return whether no difference can reach a p-value of 5% with so few units.

    The smallest p-value of a permutation test is ``2 ** (1 - units)``, since exchanging all units at once gives a
    difference of the same size.

    Parameters
    ----------
    units : int

    Returns
    -------
    bool

    Examples
    --------
    >>> is_underpowered(5), is_underpowered(6)
    (True, False)
    """
    return 2.0 ** (1 - units) > SIGNIFICANCE_LEVEL


def step_down_detectable(flips: RowFlips, best: int) -> np.ndarray:
    """Compute the minimum difference of each row to the best that `compare_with_best` finds with a power of `POWER`.

    The best row is assumed to be truly better than each other row, by a difference that may vary from row to row.
    Errors are drawn by flipping the signs of residuals. Critical values are computed for a board whose best row leads
    by the minimum detectable difference, not by the observed differences. The result therefore does not grow with the
    observed differences.

    Parameters
    ----------
    flips : RowFlips
    best : int
        Position of the best row.

    Returns
    -------
    ndarray of float64, shape (R,)
        Minimum differences; NaN for the best row.
    """
    rows = np.arange(len(flips.seed_errors))
    others = np.delete(rows, best)
    residuals = flips.studentizer.residuals(flips.scores.pair_contributions(flips.metric, best, rows))
    differences, variances = flips.against(best, flips.sums(-residuals), rows)
    differences, errors = differences[others], np.sqrt(variances[others])
    detectable, leads = np.full(len(rows), np.nan), FIRST_LEAD * errors.mean(axis=1)
    for _ in range(ROUNDS):
        limits = critical_values(flips, best, float(np.median(leads)))
        leads = _find_leads(differences, errors, limits)
    detectable[others] = leads
    return detectable


def _find_leads(differences: np.ndarray, errors: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Find by bisection the lead over each row that the test detects in a fraction `POWER` of the draws."""
    low, high = np.zeros(len(errors)), LARGEST * errors.mean(axis=1)
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        is_found = _found(differences + middle[:, None], errors, limits).mean(axis=1) >= POWER
        low, high = np.where(is_found, low, middle), np.where(is_found, middle, high)
    return high


def _found(differences: np.ndarray, errors: np.ndarray, limits: np.ndarray) -> np.ndarray:
    """Return whether the step-down test finds each row worse than the best, for each draw.

    The largest statistic must exceed the first limit, the second largest the second limit, and so on.
    """
    statistics = np.divide(differences, errors, out=np.full(differences.shape, np.inf), where=errors > 0)
    ordered = -np.sort(-statistics, axis=0)
    number = np.cumprod(ordered > limits[:, None], axis=0).sum(axis=0)
    smallest = np.take_along_axis(ordered, np.maximum(number - 1, 0)[None], axis=0)[0]
    return statistics >= np.where(number > 0, smallest, np.inf)


def critical_values(flips: RowFlips, best: int, lead: float) -> np.ndarray:
    """Compute the critical values of `compare_with_best` if the best row leads all others by `lead`.

    Parameters
    ----------
    flips : RowFlips
    best : int
        Position of the best row.
    lead : float
        Lead of the best row.

    Returns
    -------
    ndarray of float64, shape (R - 1,)
        Critical values for steps of the test with R, R - 1, ..., 2 remaining rows. They are computed for some of these
        numbers of rows, from the best row and randomly drawn other rows, and interpolated for the rest.
    """
    rows = len(flips.seed_errors)
    others = np.delete(np.arange(rows), best)
    order = np.concatenate([[best], np.random.default_rng(0).permutation(others)])
    contributions = flips.studentizer.with_sum(flips.scores.contributions(flips.metric, order), 0)
    contributions[0] += lead * flips.studentizer.shares
    numbers = sorted({number for number in (2, 3, 4, rows // 4, rows // 2, rows) if 2 <= number <= rows})
    limits = [critical_value(flips.largest(flips.sums(contributions[:number]), order[:number])) for number in numbers]
    return np.interp(np.log(np.arange(rows, 1, -1)), np.log(numbers), limits)
