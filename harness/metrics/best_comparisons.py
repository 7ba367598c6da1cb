"""Comparison of many rows with the best of them, which is chosen from the same data.

A row is one configuration of a board. Even if all rows are equally good, the best one leads the others by luck. The
null distribution therefore includes the choice of the best: in every draw, the best row is chosen again, and the
statistic is the largest studentized difference to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.contributions import RowScores
from harness.metrics.power import is_underpowered, step_down_detectable
from harness.metrics.sign_flips import SIGNIFICANCE_LEVEL, TOLERANCE, RowFlips, divide, p_values
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.parallel import limit_blas_threads

DRAWS = 10_000
CELLS = 1 << 21
"""Maximum number of rows times draws, to limit memory; comparisons of more than about 200 rows use fewer draws."""
POWER_CELLS = 120_000
"""Maximum number of rows times draws when power is computed, which needs fewer draws than a p-value."""


@dataclass(frozen=True, eq=False)
class BestComparison:
    """Comparison of rows with the best of them.

    Attributes
    ----------
    best : int
        Position of the best row; the first of equal ones.
    p : ndarray of float64, shape (R,)
        Adjusted p-value of each row; 1 for the best.
    detectable : ndarray of float64, shape (R,), or None
        For each row: the minimum difference to the best row that the test finds with 80% power; NaN for the best row.
        None in place of the array if there are too few units to find any difference.
    luck : float
        Expected lead of the best candidate over the mean of all candidates if all were equally good; 0 for fewer than
        two candidates or units.
    """

    best: int
    p: np.ndarray
    detectable: np.ndarray | None
    luck: float


def compare_with_best(
    rows: Sequence[Sequence[SufficientStatistics]],
    metric: str,
    draws: int = DRAWS,
    seed: int = 0,
    groups: Sequence[Sequence[int] | None] | None = None,
    candidates: Sequence[int] | None = None,
) -> BestComparison:
    """Test which rows are worse than the best one.

    The step-down test uses sign flips (see `harness.metrics.sign_flips`), and the largest studentized difference to the
    best as statistic. Rows found significantly worse are removed, and the remaining rows are tested again. If all
    rows are equally good, some row is found worse in about 5% of cases, no matter how many rows there are and how
    their errors depend on each other; see `framelight bench errors`.

    Parameters
    ----------
    rows : sequence of sequence of SufficientStatistics
        At least one row, each with the statistics of its seeds. All have the same units; numbers of seeds may differ.
    metric : str
        Name of a metric of the task; see `harness.metrics.pooled_scores.score`.
    draws : int, default=10000
        Number of draws.
    seed : int, default=0
        Seed of the draws. The same arguments give the same result in every process.
    groups : sequence of (sequence of int or None), optional
        Group of each seed of each row, see `RowScores`.
    candidates : sequence of int, optional
        Positions of the rows for which `luck` is computed, such as all but the baselines. Default: all rows.

    Returns
    -------
    BestComparison

    Raises
    ------
    InputError
        If the metric is unknown, a row has no seed, the numbers of units or the tasks differ, or no frame has a valid
        label.

    References
    ----------
    Hsu (1996), Multiple Comparisons, ch. 4. Romano and Wolf (2005), Exact and approximate stepdown methods for multiple
    hypothesis testing, Journal of the American Statistical Association 100(469).

    Examples
    --------
    >>> from harness.metrics.unit_statistics import compute_statistics
    >>> labels, unit = np.arange(8).repeat(10), np.arange(80) % 16
    >>> runs = [np.where(np.arange(80) % n, labels, 0) for n in (5, 6, 2)]
    >>> rows = [[compute_statistics("expr", np.eye(8)[run], {"expr": labels}, unit, 16)] for run in runs]
    >>> result = compare_with_best(rows, "accuracy")
    >>> result.best, (result.p <= 0.05).tolist()
    (1, [False, False, True])
    """
    scores = RowScores(rows, groups)
    scores.require_metric(metric)
    values = scores.scores(metric)
    best = _first_best(values)
    if len(rows) == 1 or scores.units < 2:
        return BestComparison(best, np.ones(len(rows)), None, 0.0)
    p = adjusted_p_values(scores, metric, draws, seed)
    with limit_blas_threads():
        fewer = RowFlips(scores, metric, min(draws, POWER_CELLS // len(rows)), seed)
        detectable = None if is_underpowered(scores.pooled.units) else step_down_detectable(fewer, best)
        return BestComparison(best, p, detectable, expected_luck(fewer, candidates))


def adjusted_p_values(scores: RowScores, metric: str, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Compute only the p-value of each row, see `compare_with_best`; this needs at least two units."""
    values = scores.scores(metric)
    with limit_blas_threads():
        flips = RowFlips(scores, metric, min(draws, CELLS // len(values)), seed)
        return _step_down(flips, values, _first_best(values))


def _first_best(values: np.ndarray) -> int:
    return int(np.argmax(values >= values.max() - TOLERANCE))


def _step_down(flips: RowFlips, values: np.ndarray, best: int) -> np.ndarray:
    """Compute the adjusted p-value of each row."""
    statistics = _studentized_leads(flips, values, best)
    p, remaining = np.ones(len(values)), np.arange(len(values))
    smallest = 2.0 ** (1 - flips.scores.units)  # flipping no unit, or all units, gives the observed statistics
    while len(remaining) > 1:
        contributions = flips.scores.contributions(flips.metric, remaining)
        null = flips.largest(flips.sums(contributions), remaining)
        adjusted = np.maximum(p_values(statistics[remaining], null), smallest)
        p[remaining] = adjusted
        is_worse = (adjusted <= SIGNIFICANCE_LEVEL) & (remaining != best)
        if not is_worse.any():
            break
        smallest, remaining = adjusted[is_worse].max(), remaining[~is_worse]
    p[best] = 1
    return p


def _studentized_leads(flips: RowFlips, values: np.ndarray, best: int) -> np.ndarray:
    """Compute the studentized difference between the best row and each row."""
    contributions = flips.scores.pair_contributions(flips.metric, best, np.arange(len(values)))
    seed_variances = flips.seed_errors**2
    variances = flips.studentizer.variance_of(contributions) + seed_variances + seed_variances[best]
    return divide(values[best] - values, variances)


def expected_luck(flips: RowFlips, candidates: Sequence[int] | None = None) -> float:
    """Compute the expected lead of the best candidate over the mean of all candidates if all were equally good.

    The dependence between the errors of the candidates is the observed one. The result is 0 for fewer than two
    candidates; see `compare_with_best`.
    """
    rows = np.arange(len(flips.seed_errors)) if candidates is None else np.asarray(candidates, dtype=np.int64)
    if len(rows) < 2:
        return 0.0
    contributions = flips.scores.contributions(flips.metric, rows)
    drawn = flips.sums(flips.studentizer.residuals(contributions))[0] + flips.seed_draws.errors[rows]
    return float(np.mean(drawn.max(axis=0) - drawn.mean(axis=0)))
