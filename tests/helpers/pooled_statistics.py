"""Resampled scores and merged statistics, to compare with those of whole sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.pooled import PooledStatistics
from harness.metrics.resampling import bootstrap_weights
from harness.metrics.unit_statistics import SufficientStatistics


def bootstrap_distribution(
    seeds: Sequence[SufficientStatistics], metric: str, replicates: int = 10_000, seed: int = 0
) -> np.ndarray:
    """Return the mean of a metric over seeds, [replicates], when whole units are drawn with replacement."""
    pooled = PooledStatistics(seeds)
    draws = bootstrap_weights(pooled.shape[2], replicates, seed)
    return np.concatenate([pooled.metric(metric, pooled.weighted_sum(part)).mean(axis=0) for part in draws])


def merge_shards(shards: Sequence[SufficientStatistics]) -> SufficientStatistics:
    """Return the statistics of all rows of the shards, which count the same units."""
    blocks = shards[0].arrays
    units = len(next(iter(blocks.values())))
    merged = []
    for unit in range(units):
        parts = {block: np.stack([shard.arrays[block][unit] for shard in shards]) for block in blocks}
        merged.append(SufficientStatistics(shards[0].task, parts).total())
    return SufficientStatistics(shards[0].task, {block: np.stack([one[block] for one in merged]) for block in blocks})
