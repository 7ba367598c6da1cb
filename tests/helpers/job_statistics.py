"""Stores with jobs that have statistics."""

import numpy as np

from harness.metrics.pooled_scores import score
from harness.metrics.unit_statistics import SufficientStatistics
from tests.helpers.records import record

VIDEOS = tuple(f"video{i:02}" for i in range(30))


def counts(right, seed=0, videos=VIDEOS, frames=200):
    """Confusions int64 [V, 8, 8] of a system that is right about a frame with chance `right`, more or less by video.

    Systems share what the videos show and how hard they are."""
    shared, own = np.random.default_rng(1), np.random.default_rng((seed, int(1000 * right)))
    truth = shared.multinomial(frames, shared.dirichlet(np.ones(8), len(videos)))
    chance = np.clip(right + shared.normal(0, 0.15, (len(videos), 1)), 0, 1)
    hit = own.binomial(truth, chance)
    return own.multinomial(truth - hit, np.full(8, 1 / 8)) + np.eye(8, dtype=np.int64) * hit[..., None]


def keep(store, group, right, seeds=(0, 1, 2), videos=VIDEOS, order=None, same=False, **changes):
    """Records of one configuration whose statistics lie in the store as jobs leave them; their values are true.

    order: the units are written in this order; same: every seed has the counts of the first."""
    made = []
    for seed in seeds:
        arrays = counts(right, seeds[0] if same else seed, videos)
        scored, metrics = int(arrays.sum()), score(SufficientStatistics("expr", {"expr": arrays})).metrics
        one = record(
            group=group,
            seed=seed,
            value=metrics["P_EXPR"],
            expected_seeds=seeds,
            **{"metrics": dict(metrics), "annotated": scored, "scored": scored, "units": len(videos), **changes},
        )
        folder = store / "artifacts" / "jobs" / one.job_id
        folder.mkdir(parents=True)
        order = range(len(videos)) if order is None else order
        np.savez_compressed(
            folder / "statistics.npz", units=np.array([videos[i] for i in order]), expr=arrays[list(order)]
        )
        made.append(one)
    return made
