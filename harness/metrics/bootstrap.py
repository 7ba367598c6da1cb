"""Studentized bootstrap intervals of score differences.

Units (videos, subjects) are few and unequal. The studentized bootstrap (Efron and Tibshirani 1993, ch. 12.5) resamples
the error divided by its standard error instead. Standard errors of draws come from the infinitesimal jackknife; the
standard error of the difference comes from the jackknife, which is more conservative where the metric is not linear in
its counts.

The difference is a weighted sum over S sets of statistics: the weight of each seed is 1 over the number of seeds of its
run, and negative for the second run.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from harness.metrics.jackknife import Jackknife
from harness.metrics.pooled import PooledStatistics

MIN_RELATIVE_ERROR = 0.25
"""Lower bound of the standard error of a draw, as a share of the standard error of the score. A draw without the units
that show a class underestimates its error. In simulations, intervals of mean scores have the same coverage with this
bound, and are shorter.
"""


def studentized_interval(
    pooled: PooledStatistics, metrics: Sequence[str], weights: np.ndarray, drawn: Iterable[np.ndarray], level: float
) -> dict[str, tuple[float, float]]:
    """Compute studentized bootstrap intervals over units of a difference in several metrics.

    Parameters
    ----------
    pooled : PooledStatistics
        S sets of statistics of at least two units.
    metrics : sequence of str
    weights : ndarray of float, shape (S,)
        Weight of each set; they sum to 0.
    drawn : iterable of ndarray of float, shape (r, V)
        See `harness.metrics.resampling.bootstrap_weights`.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    dict of str to (float, float)
        Lower and upper end of each metric's interval, which always contains the difference.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 12.5.
    """

    def weight_metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
        metric_values = pooled.metrics(sums)
        return {name: weights @ metric_values[name] for name in metrics}

    values, without = weight_metrics(pooled.total()), weight_metrics(pooled.leave_one_out())
    errors = {name: float(Jackknife(values[name][0], without[name]).standard_error()) for name in metrics}
    studentized: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for draws in drawn:
        sums = pooled.weighted_sum(draws)
        differences = weight_metrics(sums)
        for name in metrics:
            draw_errors = _standard_errors(pooled, name, weights, draws, sums)
            draw_errors = np.maximum(draw_errors, MIN_RELATIVE_ERROR * errors[name])
            studentized[name].append(_safe_divide(differences[name] - values[name], draw_errors))
    intervals = {}
    for name in metrics:
        value = float(values[name][0])
        quantiles = np.quantile(np.concatenate(studentized[name]), [(1 + level) / 2, (1 - level) / 2])
        low, high = value - quantiles * errors[name]
        intervals[name] = float(min(low, value)), float(max(high, value))
    return intervals


def _standard_errors(
    pooled: PooledStatistics, metric: str, weights: np.ndarray, drawn: np.ndarray, sums: np.ndarray
) -> np.ndarray:
    """Compute the standard error of each draw, [r], from the metric's gradients (infinitesimal jackknife)."""
    units, (columns, slopes) = drawn.shape[1], pooled.gradients(metric, sums)
    slopes = (slopes * weights[:, None, None]).reshape(-1, len(drawn))
    influence = slopes.T @ pooled.rows[:, columns].reshape(-1, units)
    np.square(influence, out=influence)
    return np.sqrt(np.einsum("rv,rv->r", drawn, influence) * units / (units - 1))


def _safe_divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    return np.divide(numerator, denominator, out=np.zeros_like(numerator), where=denominator > 0)
