"""Confidence intervals of a score over units (videos, subjects) and training seeds.

Frames of a video are anything but independent, so that whole units are resampled; with several seeds the score is
their mean, and what seeds differ in widens the interval.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.bootstrap import clip_to_range, combine_errors, seed_standard_error, studentized_interval
from harness.metrics.pooled import PooledStatistics
from harness.metrics.resampling import bootstrap_weights
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.errors import InputError
from harness.utils.parallel import limit_blas_threads

METHODS = ("studentized", "percentile", "bca")
DEFAULT_METHOD = "studentized"
"""The method of every board and record. On simulated sets of 8 to 300 videos its 95 % intervals hold the truth in 93 to
96 %, those of the percentiles in 25 to 94 %: fewest where rare classes are in few of few videos."""
CONFIDENCE_LEVEL = 0.95
REPLICATES = 10_000


@dataclass(frozen=True)
class Interval:
    """low, high: ends in the metric's unit; both None where fewer than two units have a row that counts."""

    low: float | None
    high: float | None
    method: str


def confidence_interval(
    seeds: Sequence[SufficientStatistics],
    metric: str,
    method: str = DEFAULT_METHOD,
    level: float = CONFIDENCE_LEVEL,
    replicates: int = REPLICATES,
    seed: int = 0,
) -> Interval:
    """Interval of the mean over seeds of `metric` pooled over units; `seeds` count the same units.

    studentized: see `harness.metrics.bootstrap`; percentile: quantiles of the resampled scores; bca: corrected for bias
    and acceleration (Efron 1987), the acceleration from the jackknife over units. A pure function, the same in every
    process. InputError for an unknown metric or method, and for statistics that do not count the same units.
    """
    if method not in METHODS:
        raise InputError(f"an interval's method is one of {', '.join(METHODS)}; got '{method}'")
    with limit_blas_threads():
        return _compute_interval(PooledStatistics(seeds), metric, method, level, replicates, seed)


def _compute_interval(
    pooled: PooledStatistics, metric: str, method: str, level: float, replicates: int, seed: int
) -> Interval:
    values, without = pooled.metric(metric, pooled.total())[:, 0], pooled.metric(metric, pooled.leave_one_out())
    if pooled.units < 2:
        return Interval(None, None, method)
    drawn = bootstrap_weights(pooled.shape[2], replicates, seed)
    if method == "studentized":
        ends = studentized_interval(pooled, (metric,), np.full(len(values), 1 / len(values)), drawn, level)[metric]
    else:
        scores = _bootstrap_scores(pooled, metric, drawn)
        tails = np.array([(1 - level) / 2, (1 + level) / 2])
        if method == "bca":
            tails = _bca_probabilities(tails, scores, values.mean(), without.mean(axis=0))
        ends = map(float, np.quantile(scores, tails))
    ends = combine_errors(values.mean(), *ends, seed_standard_error(values, without), len(values), level)
    return Interval(*clip_to_range(metric, *ends), method)


def bootstrap_distribution(
    seeds: Sequence[SufficientStatistics], metric: str, replicates: int = REPLICATES, seed: int = 0
) -> np.ndarray:
    """float64 [replicates]: the mean of `metric` over seeds when whole units are drawn with replacement.

    Units without a row that counts are not drawn; many are drawn in random groups. A pure function of its arguments;
    InputError where no unit has a row that counts.
    """
    pooled = PooledStatistics(seeds)
    if not pooled.units:
        raise InputError("no unit has a row that counts, so there is nothing to resample")
    with limit_blas_threads():
        return _bootstrap_scores(pooled, metric, bootstrap_weights(pooled.shape[2], replicates, seed))


def _bootstrap_scores(pooled: PooledStatistics, metric: str, drawn: Iterable[np.ndarray]) -> np.ndarray:
    return np.concatenate([pooled.metric(metric, pooled.weighted_sum(part)).mean(axis=0) for part in drawn])


def _bca_probabilities(tails: np.ndarray, scores: np.ndarray, value: float, without: np.ndarray) -> np.ndarray:
    """The probabilities whose quantiles BCa takes in place of `tails`."""
    from scipy.special import ndtr, ndtri

    below = (np.sum(scores < value) + np.sum(scores == value) / 2) / len(scores)
    bias = ndtri(np.clip(below, 1 / len(scores), 1 - 1 / len(scores)))
    away = without.mean() - without
    spread = np.sum(away**2) ** 1.5
    acceleration = np.sum(away**3) / (6 * spread) if spread > 0 else 0.0
    shifted = bias + ndtri(tails)
    return ndtr(bias + shifted / (1 - acceleration * shifted))
