"""Confidence intervals of a score over units (videos, subjects) and training seeds, by resampling both.

Frames of a video are anything but independent, so that whole videos are drawn; with several seeds the score is their
mean, and seeds are drawn too, crossed with the videos (the pigeonhole bootstrap: Owen 2007).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from harness.errors import InputError
from harness.pooled import Pooled
from harness.resampling import drawn_seeds, draws
from harness.statistics import UnitStatistics

METHODS = ("percentile", "bca")
METHOD = "percentile"
"""The method of every board and record."""
LEVEL = 0.95
REPLICATES = 10_000


@dataclass(frozen=True)
class Interval:
    """low, high: ends in the metric's unit; both None where fewer than two units have a row that counts."""

    low: float | None
    high: float | None
    method: str


def interval(seeds: Sequence[UnitStatistics], metric: str, method: str = METHOD, level: float = LEVEL,
             replicates: int = REPLICATES, seed: int = 0) -> Interval:
    """Interval of the mean over seeds of `metric` pooled over units; `seeds` count the same units.

    percentile: quantiles of the replicates; bca: corrected for bias and acceleration (Efron 1987), the acceleration
    from the jackknife over units. A pure function, the same to the last bit in every process.
    InputError for an unknown metric or method, and for statistics that do not count the same units.
    """
    if method not in METHODS:
        raise InputError(f"an interval's method is one of {', '.join(METHODS)}; got '{method}'")
    pooled = Pooled(seeds)
    value = pooled.of(metric, pooled.total()).mean()
    if pooled.units < 2:
        return Interval(None, None, method)
    drawn = replicated(pooled, metric, replicates, seed)
    tails = np.array([(1 - level) / 2, (1 + level) / 2])
    if method == "bca":
        tails = _corrected(tails, drawn, value, pooled.of(metric, pooled.without_each()).mean(axis=0))
    low, high = np.quantile(drawn, tails)
    return Interval(float(low), float(high), method)


def replicated(pooled: Pooled, metric: str, replicates: int, seed: int) -> np.ndarray:
    """float64 [replicates]: the mean over seeds, drawn with the units."""
    sets, _, units = pooled.shape
    values = [pooled.of(metric, pooled.weighted(part)) for part in draws(units, replicates, seed)]
    return (np.concatenate(values, axis=-1) * drawn_seeds(sets, replicates, seed)).sum(axis=0)


def _corrected(tails: np.ndarray, drawn: np.ndarray, value: float, without: np.ndarray) -> np.ndarray:
    """The probabilities whose quantiles BCa takes in place of `tails`."""
    below = (np.sum(drawn < value) + np.sum(drawn == value) / 2) / len(drawn)
    bias = ndtri(np.clip(below, 1 / len(drawn), 1 - 1 / len(drawn)))
    away = without.mean() - without
    spread = np.sum(away ** 2) ** 1.5
    acceleration = np.sum(away ** 3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(tails)
    return ndtr(bias + shifted / (1 - acceleration * shifted))
