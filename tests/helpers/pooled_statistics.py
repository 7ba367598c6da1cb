"""Resampled scores and merged statistics, to compare with those of whole sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.pooled import PooledStatistics
from harness.metrics.unit_statistics import SufficientStatistics


def draw_units(units: int, replicates: int, seed: int = 0) -> np.ndarray:
    """Return how often each unit is drawn with replacement, [replicates, units]."""
    drawn = np.random.default_rng(seed).integers(units, size=(replicates, units))
    code = drawn + np.arange(replicates)[:, None] * units
    return np.bincount(code.ravel(), minlength=replicates * units).reshape(replicates, units)


def weighted_sums(pooled: PooledStatistics, weights: np.ndarray) -> np.ndarray:
    """Return the sums over units, [S, K, R], of columns with weights [R, V]."""
    return pooled.rows @ weights.T.astype(float)


def bootstrap_distribution(
    seeds: Sequence[SufficientStatistics], metric: str, replicates: int = 10_000, seed: int = 0
) -> np.ndarray:
    """Return the mean of a metric over seeds, [replicates], when whole units are drawn with replacement."""
    pooled = PooledStatistics(seeds)
    sums = weighted_sums(pooled, draw_units(pooled.shape[2], replicates, seed))
    return pooled.metric(metric, sums).mean(axis=0)


def merge_shards(shards: Sequence[SufficientStatistics]) -> SufficientStatistics:
    """Return the statistics of all rows of the shards, which count the same units."""
    blocks = shards[0].arrays
    units = len(next(iter(blocks.values())))
    merged = []
    for unit in range(units):
        parts = {block: np.stack([shard.arrays[block][unit] for shard in shards]) for block in blocks}
        merged.append(SufficientStatistics(shards[0].task, parts).total())
    return SufficientStatistics(shards[0].task, {block: np.stack([one[block] for one in merged]) for block in blocks})
