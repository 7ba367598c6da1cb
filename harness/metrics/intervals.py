"""Confidence intervals of scores over units (videos, subjects) and training seeds.

Frames of a video are strongly dependent, so the unit is the whole video. With several seeds the score is their mean,
and differences between seeds widen the interval.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.effective_units import effective_units
from harness.metrics.jackknife import Jackknife
from harness.metrics.limits import Limits, concordance_limits, share_limits
from harness.metrics.mover import combine_errors, combine_limits, influence_correlation
from harness.metrics.pooled import CCC_NAMES, F1_BLOCKS, PooledStatistics
from harness.metrics.ranges import clip_to_range
from harness.metrics.unit_statistics import SufficientStatistics
from harness.utils.errors import unknown_name_error
from harness.utils.parallel import limit_blas_threads

CONFIDENCE_LEVEL = 0.95


@dataclass(frozen=True)
class Interval:
    """Confidence interval of a metric.

    Attributes
    ----------
    low, high : float or None
        Lower and upper end; both None if fewer than two units have a row with a valid label.
    corrected : float or None
        The score corrected for bias, from which both ends are computed; None if there is no interval.
    """

    low: float | None
    high: float | None
    corrected: float | None


def confidence_interval(
    seeds: Sequence[SufficientStatistics],
    metric: str,
    level: float = CONFIDENCE_LEVEL,
    groups: Sequence[int] | None = None,
) -> Interval:
    """Compute a confidence interval of a metric pooled over units, averaged over seeds.

    The interval is for the score that very many units would give. A mean F1 over few units is too low on average,
    because some classes occur in few of the units. The interval is therefore built around a score that is corrected for
    this bias. Each F1, accuracy or concordance has limits from its jackknife over units (`harness.metrics.limits`). The
    limits of a mean or sum are combined from the limits of its parts by MOVER, with the correlation of the parts over
    units (`combine_limits` in `harness.metrics.mover`). The error over seeds is added in the same way
    (`combine_errors`).

    Parameters
    ----------
    seeds : sequence of SufficientStatistics
        Statistics of each seed, of the same units.
    metric : str
        Name of a metric of the task, such as `P_EXPR` or `F1/Fear`; see `harness.metrics.pooled_scores.score`.
    level : float, default=0.95
        Confidence level, between 0 and 1.
    groups : sequence of int, optional
        Group of each seed, such as the training of the backbone. The error over seeds is then computed from the mean
        scores of the groups, since the seeds of one training are not independent. The score is the mean over seeds,
        even if groups differ in size. Default: each seed is a group.

    Returns
    -------
    Interval
        Its ends are within the range of the metric, and the score is always between them.

    Raises
    ------
    InputError
        If the metric is unknown, or the statistics differ in task or number of units.

    Examples
    --------
    >>> from harness.metrics.unit_statistics import compute_statistics
    >>> labels = np.arange(8).repeat(5)
    >>> predicted = np.where(np.arange(40) % 4, labels, 0)
    >>> statistics = compute_statistics("expr", np.eye(8)[predicted], {"expr": labels}, np.arange(40) % 10, units=10)
    >>> interval = confidence_interval([statistics], "accuracy")
    >>> round(interval.low, 2), round(interval.high, 2)
    (0.61, 0.92)
    """
    return confidence_intervals(seeds, (metric,), level, groups)[metric]


def confidence_intervals(
    seeds: Sequence[SufficientStatistics],
    metrics: Sequence[str],
    level: float = CONFIDENCE_LEVEL,
    groups: Sequence[int] | None = None,
) -> dict[str, Interval]:
    """Compute confidence intervals of several metrics; see `confidence_interval`."""
    with limit_blas_threads():
        pooled = PooledStatistics(seeds)
        values, without = pooled.metrics(pooled.total()), pooled.metrics(pooled.leave_one_out())
        for metric in metrics:
            if metric not in values:
                raise unknown_name_error("metric", metric, values)
        if pooled.units < 2:
            return dict.fromkeys(metrics, Interval(None, None, None))
        scores = {name: Jackknife(values[name][:, 0], without[name]) for name in values}
        fixed = _never_predicted(seeds)
        units = {metric: _combine_parts(pooled, scores, fixed, metric, level) for metric in metrics}
        return {metric: _add_seed_error(metric, units[metric], scores[metric], level, groups) for metric in metrics}


def _combine_parts(
    pooled: PooledStatistics, scores: dict[str, Jackknife], fixed: set[str], metric: str, level: float
) -> tuple[float, float, float]:
    """Combine the limits of the parts of a metric, see `combine_limits`; parts in `fixed` are always 0."""
    weights = _part_weights(metric)
    names, parts = list(weights), [scores[name].mean() for name in weights]
    stacked = Jackknife(np.array([part.values for part in parts]), np.stack([part.without for part in parts]))
    effective = effective_units(pooled, names)
    limits = _part_limits(names, stacked, effective, level)
    is_free = np.array([name not in fixed for name in names])
    limits = Limits(limits.center * is_free, limits.low * is_free, limits.high * is_free)
    return combine_limits(limits, np.array(list(weights.values())), influence_correlation(stacked, effective))


def _add_seed_error(
    metric: str, ends: tuple[float, float, float], scores: Jackknife, level: float, groups: Sequence[int] | None
) -> Interval:
    """Widen the interval over units, `ends` (the corrected score, low, high), by the error over seeds."""
    repetitions = len(scores.values) if groups is None else len(set(groups))
    value = float(scores.values.mean())
    low, high = combine_errors(*ends, float(scores.seed_error(groups)), repetitions, level)
    return Interval(*clip_to_range(metric, min(low, value), max(high, value)), round(ends[0], 10))


def _never_predicted(seeds: Sequence[SufficientStatistics]) -> set[str]:
    """Return the F1 scores that are always 0: those of classes that a constant output never predicts.

    The output of a block is constant if each of its classes is predicted in all frames or in none.
    """
    found: set[str] = set()
    for block, (_, names) in F1_BLOCKS.items():
        if block in seeds[0].arrays:
            shares = np.stack([_predicted_shares(block, each.total()[block]) for each in seeds])
            if seeds[0].arrays[block].any() and np.isin(shares, (0, 1)).all():
                found |= {f"F1/{name}" for name, share in zip(names, shares.max(axis=0)) if share == 0}
    return found


def _predicted_shares(block: str, total: np.ndarray) -> np.ndarray:
    """Compute the share of frames in which each class is predicted from pooled counts."""
    predicted = total.sum(axis=0) if block == "expr" else total[:, 0] + total[:, 1]
    rows = total.sum() if block == "expr" else total.sum(axis=1)
    return predicted / np.maximum(rows, 1)


def _part_weights(metric: str) -> dict[str, float]:
    """Return the weights of the scores whose sum is the metric; a metric without parts is returned with weight 1."""
    means = {primary: [f"F1/{name}" for name in names] for primary, names in F1_BLOCKS.values()}
    means["P_VA"] = list(CCC_NAMES)
    terms = list(means) if metric == "P_MTL" else [metric]
    return {name: 1 / len(means.get(term, [term])) for term in terms for name in means.get(term, [term])}


def _part_limits(names: Sequence[str], scores: Jackknife, effective: np.ndarray, level: float) -> Limits:
    shares, concordances = share_limits(scores, effective, level), concordance_limits(scores, effective, level)
    is_concordance = np.array([name in CCC_NAMES for name in names])
    return Limits(
        np.where(is_concordance, concordances.center, shares.center),
        np.where(is_concordance, concordances.low, shares.low),
        np.where(is_concordance, concordances.high, shares.high),
    )
