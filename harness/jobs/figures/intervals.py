"""Intervals of pictures: over whole units, by the method of the boards, from fewer draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.bootstrap import MIN_RELATIVE_ERROR, ScoreTransform
from harness.metrics.intervals import confidence_interval
from harness.metrics.paired_tests import paired_permutation_test
from harness.metrics.resampling import bootstrap_weights, random_groups
from harness.metrics.unit_statistics import SufficientStatistics

REPLICATES = 1000
LEVEL = 0.95


def metric_interval(statistics: SufficientStatistics, metric: str) -> np.ndarray:
    """[2]: low and high, NaN where fewer than two units have a row that counts."""
    made = confidence_interval([statistics], metric, level=LEVEL, replicates=REPLICATES)
    return _bounds_array(made.low, made.high)


def change_interval(after: SufficientStatistics, before: SufficientStatistics, metric: str) -> np.ndarray:
    """[2]: low and high of the difference on the same units, NaN below two."""
    made = paired_permutation_test([after], [before], metric, permutations=REPLICATES)
    return _bounds_array(made.low, made.high)


def ratio_interval(part: np.ndarray, whole: np.ndarray, low: float = 0.0) -> np.ndarray:
    """[2, B]: low and high of sum(part) / sum(whole) over units; values are in [low, 1].

    part, whole: [V, B]. The studentized bootstrap, see `harness.metrics.bootstrap`; NaN where
    fewer than two units are in
    a sum. Draws in which nothing is left of a sum are left out.
    """
    bounds = np.full((2, whole.shape[1]), np.nan)
    several = (whole > 0).sum(axis=0) > 1
    if not several.any():
        return bounds
    part, whole = (random_groups(np.asarray(values, dtype=np.float64).T[several]).T for values in (part, whole))
    value, without = part.sum(0) / whole.sum(0), (part.sum(0) - part) / (whole.sum(0) - whole)
    units = len(part)
    error = np.sqrt((units - 1) / units * ((without - without.mean(axis=0)) ** 2).sum(axis=0))
    scale, away = ScoreTransform(low, 1), []
    odds = scale.is_interior(value)
    for drawn in bootstrap_weights(units, REPLICATES):
        with np.errstate(invalid="ignore", divide="ignore"):
            count, own = drawn @ whole, (drawn @ part) / (drawn @ whole)
            squares = drawn @ part**2 - 2 * own * (drawn @ (part * whole)) + own**2 * (drawn @ whole**2)
            spread = np.sqrt(np.maximum(squares, 0) * units / (units - 1)) / count
        least = np.maximum(spread, MIN_RELATIVE_ERROR * error)
        moved = np.where(odds, (scale.forward(own) - scale.forward(value)) / scale.derivative(own), own - value)
        away.append(np.divide(moved, least, out=np.where(count > 0, 0, np.nan), where=(count > 0) & (least > 0)))
    tails = np.nanquantile(np.concatenate(away), [(1 + LEVEL) / 2, (1 - LEVEL) / 2], axis=0) * error
    ends = np.where(odds, scale.inverse(scale.forward(value) - tails * scale.derivative(value)), value - tails)
    bounds[:, several] = np.clip([np.minimum(ends[0], value), np.maximum(ends[1], value)], low, 1)
    return bounds


def format_interval(bounds: Sequence[float], digits: int = 2) -> str:
    """` [low, high]`; nothing where there is no interval."""
    return "" if np.isnan(bounds).any() else f" [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"


def _bounds_array(low: float | None, high: float | None) -> np.ndarray:
    return np.array([np.nan if end is None else end for end in (low, high)])
