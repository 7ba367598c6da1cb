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

import numpy as np

from harness.pooled import Pooled

SMALLEST = 0.25
"""A draw's standard error is at least this part of the score's: a draw without the units that show a class knows
nothing of its error. Simulated intervals of mean scores hold the truth as often as without this, and are shorter."""


def limits(pooled: Pooled, metrics: Sequence[str], weights: np.ndarray, drawn: Iterable[np.ndarray],
           level: float) -> dict[str, tuple[float, float]]:
    """Ends of the interval over units of sum(c * metric), for each metric, from draws [r, V] in parts; V >= 2."""
    def weighed(sums: np.ndarray) -> dict[str, np.ndarray]:
        values = pooled.metrics(sums)
        return {name: weights @ values[name] for name in metrics}

    value, without = weighed(pooled.total()), weighed(pooled.without_each())
    errors = {name: jackknife_error(without[name]) for name in metrics}
    away: dict[str, list[np.ndarray]] = {name: [] for name in metrics}
    for part in drawn:
        sums = pooled.weighted(part)
        scores = weighed(sums)
        for name in metrics:
            own = np.maximum(_errors(pooled, name, weights, part, sums), SMALLEST * errors[name])
            away[name].append(_ratio(scores[name] - value[name], own))
    found = {}
    for name in metrics:
        above, below = np.quantile(np.concatenate(away[name]), [(1 + level) / 2, (1 - level) / 2]) * errors[name]
        at = float(value[name][0])
        found[name] = float(min(at - above, at)), float(max(at - below, at))
    return found


def _errors(pooled: Pooled, metric: str, weights: np.ndarray, drawn: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """[r]: the standard error of each draw, by the slopes at it."""
    units, (columns, slopes) = drawn.shape[1], pooled.slopes(metric, sums)
    slopes = (slopes * weights[:, None, None]).reshape(-1, len(drawn))
    influence = slopes.T @ pooled.rows[:, columns].reshape(-1, units)
    np.square(influence, out=influence)
    return np.sqrt(np.einsum("rv,rv->r", drawn, influence) * units / (units - 1))


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def jackknife_error(without: np.ndarray) -> float:
    """Standard error of a score from the scores without each unit, [V]."""
    return float(np.sqrt((len(without) - 1) / len(without) * np.sum((without - without.mean()) ** 2)))


def seeds_error(values: np.ndarray, without: np.ndarray) -> float:
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
    luck = np.sum(own ** 2) / ((seeds - 1) * (units - 1)) / units
    return float(np.sqrt(max(0.0, values.var(ddof=1) - luck) / seeds))


def widened(value: float, low: float, high: float, error: float, seeds: int, level: float) -> tuple[float, float]:
    """Ends over units widened by the seeds' standard error, as independent parts of one error (Zou and Donner 2008)."""
    if error == 0:
        return low, high
    from scipy.special import stdtrit

    margin = stdtrit(seeds - 1, (1 + level) / 2) * error
    return float(value - np.hypot(value - low, margin)), float(value + np.hypot(high - value, margin))


def within(metric: str, low: float, high: float, difference: bool = False) -> tuple[float, float]:
    """The ends within the range of the metric, or of its differences, to ten decimals, the same on every machine."""
    least, most = (-1, 3) if metric == "P_MTL" else (-1, 1) if metric in ("P_VA", "CCC_V", "CCC_A") else (0, 1)
    if difference:
        least, most = least - most, most - least
    return round(max(low, least), 10), round(min(high, most), 10)
