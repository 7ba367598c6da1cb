"""Standard errors and studentized bootstrap intervals of scores and score differences.

Units (videos, subjects) are few and unequal, and a mean F1 over classes that occur in few of them is biased; quantiles
of resampled scores double that bias. The studentized bootstrap (Efron and Tibshirani 1993, ch. 12.5) resamples the
error divided by its standard error instead. Standard errors of draws come from the infinitesimal jackknife; the
standard error of the score comes from the jackknife, which is more conservative if the metric is not linear in its
counts.

The quantity of interest is a weighted sum over S sets of statistics: weights are 1 / S for the mean score of S seeds,
and 1 / S and -1 / S for the difference of two runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.pooled import PooledStatistics

MIN_RELATIVE_ERROR = 0.25
"""Lower bound of the standard error of a draw, as a share of the standard error of the score. A draw without the units
that show a class underestimates its error. In simulations, intervals of mean scores have the same coverage with this
bound, and are shorter.
"""
EDGE_MARGIN = 1e-3
"""Scores are clipped to at least this distance from the ends of the metric's range, as a share of the range."""


def studentized_interval(
    pooled: PooledStatistics, metrics: Sequence[str], weights: np.ndarray, drawn: Iterable[np.ndarray], level: float
) -> dict[str, tuple[float, float]]:
    """Compute studentized bootstrap intervals over units for several metrics.

    Scores are transformed to log odds of their position in the metric's range, which keeps the ends within the range
    and makes the interval shorter at the same coverage. Differences (weights that sum to 0) are not transformed.

    Parameters
    ----------
    pooled : PooledStatistics
        S sets of statistics of at least two units.
    metrics : sequence of str
    weights : ndarray of float, shape (S,)
        Weight of each set.
    drawn : iterable of ndarray of float, shape (r, V)
        See `harness.metrics.resampling.bootstrap_weights`.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    dict of str to (float, float)
        Lower and upper end of each metric's interval, which always contains the score.

    References
    ----------
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, ch. 12.5.
    """

    def weight_metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
        metric_values = pooled.metrics(sums)
        return {name: weights @ metric_values[name] for name in metrics}

    values, without = weight_metrics(pooled.total()), weight_metrics(pooled.leave_one_out())
    errors = {name: jackknife_error(without[name]) for name in metrics}
    is_score = weights.sum() > 0.5
    transforms = {
        name: choose_transform(name, float(values[name][0])) if is_score else ScoreTransform() for name in metrics
    }
    studentized: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for draws in drawn:
        sums = pooled.weighted_sum(draws)
        scores = weight_metrics(sums)
        for name in metrics:
            transform, draw_errors = transforms[name], _standard_errors(pooled, name, weights, draws, sums)
            draw_errors = np.maximum(draw_errors, MIN_RELATIVE_ERROR * errors[name])
            studentized[name].append(
                _safe_divide(
                    transform.forward(scores[name]) - transform.forward(values[name]),
                    draw_errors * transform.derivative(scores[name]),
                )
            )
    intervals = {}
    for name in metrics:
        value, transform = values[name], transforms[name]
        quantiles = np.quantile(np.concatenate(studentized[name]), [(1 + level) / 2, (1 - level) / 2])
        low, high = transform.inverse(transform.forward(value) - quantiles * errors[name] * transform.derivative(value))
        intervals[name] = float(min(low, value[0])), float(max(high, value[0]))
    return intervals


@dataclass(frozen=True)
class ScoreTransform:
    """Transformation of scores before they are studentized: logit or identity.

    Attributes
    ----------
    least, most : float
        Range of the metric, mapped to the log odds of the position in it. Equal values (the default) mean no
        transformation.

    Examples
    --------
    >>> logit = ScoreTransform(0.0, 1.0)
    >>> logit.forward(np.array([0.5])).item(), logit.inverse(np.array([0.0])).item()
    (0.0, 0.5)
    """

    least: float = 0.0
    most: float = 0.0

    def forward(self, scores: np.ndarray) -> np.ndarray:
        """Transform scores."""
        position = self._relative_position(scores)
        return scores if self.most == self.least else np.log(position / (1 - position))

    def derivative(self, scores: np.ndarray) -> np.ndarray | float:
        """Compute the derivative of `forward`."""
        if self.most == self.least:
            return 1.0
        position = self._relative_position(scores)
        return 1 / (position * (1 - position)) / (self.most - self.least)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Transform values back to scores."""
        if self.most == self.least:
            return values
        return self.least + (self.most - self.least) / (1 + np.exp(-values))

    def is_interior(self, scores: np.ndarray | float) -> np.ndarray:
        """Return whether scores are far enough from the ends of the range for log odds to be meaningful."""
        position = self._relative_position(scores)
        return (position > EDGE_MARGIN) & (position < 1 - EDGE_MARGIN)

    def _relative_position(self, scores: np.ndarray | float) -> np.ndarray:
        span = (self.most - self.least) or 1.0
        return np.clip((scores - self.least) / span, EDGE_MARGIN, 1 - EDGE_MARGIN)


def choose_transform(metric: str, value: float) -> ScoreTransform:
    """Return the logit transform for a score, or the identity if the score is at the edge of the metric's range."""
    transform = ScoreTransform(*metric_range(metric))
    return transform if transform.is_interior(np.float64(value)) else ScoreTransform()


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


def jackknife_error(without: np.ndarray) -> float:
    """Compute the jackknife standard error of a score.

    Parameters
    ----------
    without : ndarray of float, shape (V,)
        Score without each of the units.

    Returns
    -------
    float

    Examples
    --------
    >>> round(jackknife_error(np.array([1.0, 2.0, 3.0])), 4)
    1.1547
    """
    return float(np.sqrt((len(without) - 1) / len(without) * np.sum((without - without.mean()) ** 2)))


def seed_standard_error(values: np.ndarray, without: np.ndarray) -> float:
    """Compute the standard error of a mean over seeds that is due to the seeds alone.

    This is the error from differences between seeds on all units alike; it comes on top of the error over units. Its
    variance is the variance between seeds less the part that independent differences on each unit would explain, by a
    two-way analysis of variance of the jackknife influences.

    Parameters
    ----------
    values : ndarray of float, shape (S,)
        Score of each seed.
    without : ndarray of float, shape (S, V)
        Score of each seed without each unit.

    Returns
    -------
    float
        0 where the variance estimate is negative, for a single seed and for a single unit.
    """
    seeds, units = without.shape
    if seeds < 2 or units < 2:
        return 0.0
    influence = (units - 1) * (without.mean(axis=1, keepdims=True) - without)
    interaction = influence - influence.mean(axis=0)
    explained = np.sum(interaction**2) / ((seeds - 1) * (units - 1)) / units
    return float(np.sqrt(max(0.0, values.var(ddof=1) - explained) / seeds))


def combine_errors(
    value: float, low: float, high: float, error: float, seeds: int, level: float
) -> tuple[float, float]:
    """Widen an interval over units by the standard error over seeds.

    The two errors are treated as independent and combined by the method of variance estimates recovery (MOVER): the
    distances of the ends from the value are the root of the sum of squares of both parts.

    Parameters
    ----------
    value : float
        Score or difference.
    low, high : float
        Ends of the interval over units.
    error : float
        Standard error over seeds; see `seed_standard_error`.
    seeds : int
        Number of seeds; the margin over seeds is Student's t with ``seeds - 1`` degrees of freedom.
    level : float
        Confidence level, between 0 and 1.

    Returns
    -------
    low, high : float

    References
    ----------
    Zou and Donner (2008), Construction of confidence limits about effect measures, Statistics in Medicine 27(10).

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


def metric_range(metric: str) -> tuple[int, int]:
    """Return the smallest and largest possible value of a metric.

    Examples
    --------
    >>> metric_range("P_MTL"), metric_range("P_EXPR")
    ((-1, 3), (0, 1))
    """
    return (-1, 3) if metric == "P_MTL" else (-1, 1) if metric in ("P_VA", "CCC_V", "CCC_A") else (0, 1)


def clip_to_range(metric: str, low: float, high: float, difference: bool = False) -> tuple[float, float]:
    """Clip an interval to the range of a metric and round it to ten decimals.

    Rounding makes the ends equal on all machines.

    Parameters
    ----------
    metric : str
    low, high : float
        Ends of the interval.
    difference : bool, default=False
        Whether `low` and `high` are for a difference between two scores, whose range is twice as wide.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> clip_to_range("P_EXPR", -0.1, 0.8)
    (0, 0.8)
    """
    least, most = metric_range(metric)
    if difference:
        least, most = least - most, most - least
    return round(max(low, least), 10), round(min(high, most), 10)
