"""How far a score, or a difference of scores, may be from the truth: over units by the studentised bootstrap, over
training seeds by Student's t.

Units (videos, subjects) are few and uneven, and a mean F1 over classes that few of them show is biased; quantiles of
resampled scores take that bias twice. Here what is resampled is the error in units of its own standard error (Efron
and Tibshirani 1993, ch. 12.5): in each draw by the infinitesimal jackknife, for the score itself by the jackknife,
which does not underrate what the slopes miss. Weights c [S] say what is looked at: 1 / S of each seed for a score,
1 / S and -1 / S for a difference.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.pooled import PooledStatistics

MIN_RELATIVE_ERROR = 0.25
"""A draw's standard error is at least this part of the score's: a draw without the units that show a class knows
nothing of its error. Simulated intervals of mean scores hold the truth as often as without this, and are shorter."""


EDGE_MARGIN = 1e-3
"""Of a metric's range: a draw's score counts as at least this far from the ends."""


def studentized_interval(
    pooled: PooledStatistics, metrics: Sequence[str], weights: np.ndarray, drawn: Iterable[np.ndarray], level: float
) -> dict[str, tuple[float, float]]:
    """Ends of the interval over units of sum(c * metric), for each metric, from draws [r, V] in parts; V >= 2.

    A score is looked at as the log odds of its place in the metric's range, which keeps the ends within it and the
    interval shorter at the same coverage; a difference (weights that sum to 0) as it is.
    """

    def weight_metrics(sums: np.ndarray) -> dict[str, np.ndarray]:
        values = pooled.metrics(sums)
        return {name: weights @ values[name] for name in metrics}

    value, without = weight_metrics(pooled.total()), weight_metrics(pooled.leave_one_out())
    errors = {name: jackknife_error(without[name]) for name in metrics}
    score = weights.sum() > 0.5
    scales = {name: choose_transform(name, float(value[name][0])) if score else ScoreTransform() for name in metrics}
    away: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for part in drawn:
        sums = pooled.weighted_sum(part)
        scores = weight_metrics(sums)
        for name in metrics:
            own, scale = (
                np.maximum(_standard_errors(pooled, name, weights, part, sums), MIN_RELATIVE_ERROR * errors[name]),
                scales[name],
            )
            away[name].append(
                _safe_divide(
                    scale.forward(scores[name]) - scale.forward(value[name]), own * scale.derivative(scores[name])
                )
            )
    found = {}
    for name in metrics:
        at, scale = value[name], scales[name]
        tails = np.quantile(np.concatenate(away[name]), [(1 + level) / 2, (1 - level) / 2])
        low, high = scale.inverse(scale.forward(at) - tails * errors[name] * scale.derivative(at))
        found[name] = float(min(low, at[0])), float(max(high, at[0]))
    return found


@dataclass(frozen=True)
class ScoreTransform:
    """What errors are studentised on: scores as they are, or as log odds of their place between `least` and `most`."""

    least: float = 0.0
    most: float = 0.0

    def forward(self, scores: np.ndarray) -> np.ndarray:
        place = self._relative_position(scores)
        return scores if self.most == self.least else np.log(place / (1 - place))

    def derivative(self, scores: np.ndarray) -> np.ndarray | float:
        """Derivative of `forward`."""
        if self.most == self.least:
            return 1.0
        place = self._relative_position(scores)
        return 1 / (place * (1 - place)) / (self.most - self.least)

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Inverse of `forward`."""
        if self.most == self.least:
            return values
        return self.least + (self.most - self.least) / (1 + np.exp(-values))

    def is_interior(self, scores: np.ndarray) -> np.ndarray:
        """Whether log odds say anything: not at the edges of the range."""
        place = self._relative_position(scores)
        return (place > EDGE_MARGIN) & (place < 1 - EDGE_MARGIN)

    def _relative_position(self, scores: np.ndarray) -> np.ndarray:
        span = (self.most - self.least) or 1.0
        return np.clip((scores - self.least) / span, EDGE_MARGIN, 1 - EDGE_MARGIN)


def choose_transform(metric: str, value: float) -> ScoreTransform:
    """Log odds for a score; as it is where the score stands at the edge of its range, where odds say nothing."""
    scale = ScoreTransform(*metric_range(metric))
    return scale if scale.is_interior(np.float64(value)) else ScoreTransform()


def _standard_errors(
    pooled: PooledStatistics, metric: str, weights: np.ndarray, drawn: np.ndarray, sums: np.ndarray
) -> np.ndarray:
    """[r]: the standard error of each draw, by the slopes at it."""
    units, (columns, slopes) = drawn.shape[1], pooled.gradients(metric, sums)
    slopes = (slopes * weights[:, None, None]).reshape(-1, len(drawn))
    influence = slopes.T @ pooled.rows[:, columns].reshape(-1, units)
    np.square(influence, out=influence)
    return np.sqrt(np.einsum("rv,rv->r", drawn, influence) * units / (units - 1))


def _safe_divide(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def jackknife_error(without: np.ndarray) -> float:
    """Standard error of a score from the scores without each unit, [V]."""
    return float(np.sqrt((len(without) - 1) / len(without) * np.sum((without - without.mean()) ** 2)))


def seed_standard_error(values: np.ndarray, without: np.ndarray) -> float:
    """Standard error of the mean over seeds that comes on top of the units': what seeds differ in on all units alike.

    values: [S], one for each seed; without: [S, V], without each unit. The variance between seeds less what it would
    be if each seed only had its own luck with each unit (two-way analysis of variance on the jackknife's influences);
    0 where that is negative, and for one seed, which tells nothing of others.
    """
    seeds, units = without.shape
    if seeds < 2 or units < 2:
        return 0.0
    influence = (units - 1) * (without.mean(axis=1, keepdims=True) - without)
    own = influence - influence.mean(axis=0)
    luck = np.sum(own**2) / ((seeds - 1) * (units - 1)) / units
    return float(np.sqrt(max(0.0, values.var(ddof=1) - luck) / seeds))


def combine_errors(
    value: float, low: float, high: float, error: float, seeds: int, level: float
) -> tuple[float, float]:
    """Ends over units widened by the seeds' standard error, as independent parts of one error (Zou and Donner 2008)."""
    if error == 0:
        return low, high
    from scipy.special import stdtrit

    margin = stdtrit(seeds - 1, (1 + level) / 2) * error
    return float(value - np.hypot(value - low, margin)), float(value + np.hypot(high - value, margin))


def metric_range(metric: str) -> tuple[int, int]:
    """The least and the most that a metric can be."""
    return (-1, 3) if metric == "P_MTL" else (-1, 1) if metric in ("P_VA", "CCC_V", "CCC_A") else (0, 1)


def clip_to_range(metric: str, low: float, high: float, difference: bool = False) -> tuple[float, float]:
    """The ends within the range of the metric, or of its differences, to ten decimals, the same on every machine."""
    least, most = metric_range(metric)
    if difference:
        least, most = least - most, most - least
    return round(max(low, least), 10), round(min(high, most), 10)
