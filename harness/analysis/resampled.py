"""Intervals of pictures: whole units drawn with replacement, the same draws for everything in a picture."""

from __future__ import annotations

import numpy as np

from harness.resampling import draws, grouped
from harness.statistics import UnitStatistics, bootstrap

REPLICATES = 1000
LEVEL = 0.95


def resampled(values: np.ndarray) -> np.ndarray:
    """Additive statistics [V, ...] of V units -> float64 [REPLICATES, ...], their sums in each draw."""
    flat = grouped(np.asarray(values, dtype=np.float64).reshape(len(values), -1).T).T
    drawn = np.concatenate([part @ flat for part in draws(len(flat), REPLICATES)])
    return drawn.reshape(REPLICATES, *values.shape[1:])


def metric_replicates(statistics: UnitStatistics, metric: str) -> np.ndarray:
    """float64 [REPLICATES]: the metric in each draw."""
    return bootstrap(statistics, metric, REPLICATES)


def interval(replicates: np.ndarray, units: int) -> np.ndarray:
    """[REPLICATES, ...] -> [2, ...], low and high percentile of the draws of some units, NaN where there is only one.

    NaN replicates are left out.
    """
    edge = 50 * (1 - LEVEL)
    bounds = np.full((2, *replicates.shape[1:]), np.nan)
    if units < 2:
        return bounds
    if not np.isnan(replicates).any():
        return np.percentile(replicates, [edge, 100 - edge], axis=0)
    held = ~np.isnan(replicates).all(axis=0)
    bounds[:, held] = np.nanpercentile(replicates[:, held], [edge, 100 - edge], axis=0)
    return bounds


def bracket(bounds: np.ndarray, digits: int = 2) -> str:
    """` [low, high]`; nothing where there is no interval."""
    return "" if np.isnan(bounds).any() else f" [{bounds[0]:.{digits}f}, {bounds[1]:.{digits}f}]"
