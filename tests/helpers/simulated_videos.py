"""Predictions on simulated videos whose frames depend on each other, with a population value that is known.

Videos differ in length, in what they show (mostly one or two expressions each), in how hard they are and in what a
system takes them for; within a video whole episodes are right or wrong together.
"""

import numpy as np

from harness.metrics.jackknife import Jackknife
from harness.metrics.pooled import PooledStatistics
from harness.metrics.unit_statistics import SufficientStatistics

PRIOR = np.array([0.30, 0.04, 0.04, 0.03, 0.18, 0.14, 0.06, 0.21])
"""About the shares of the eight expressions in Aff-Wild2."""
EPISODE = 25
"""Frames that are labelled and predicted alike."""


def lengths(rng, videos):
    """Frames of each video: a few thousand, some ten times as many as others."""
    return np.clip(rng.lognormal(7.6, 0.8, videos), 150, 20_000).astype(int)


def expressions(rng, videos, systems=1, skill=1.2, apart=0.0, seed_spread=0.0):
    """Confusion counts [systems, videos, 8, 8] of systems of equal skill on the same videos.

    apart: standard deviation of a system's own luck with a video; seed_spread: of its luck with all of them.
    """
    n = np.maximum(lengths(rng, videos) // EPISODE, 1)
    shown = rng.dirichlet(PRIOR * 3, videos)
    truth = rng.multinomial(n, shown)
    hard, mistaken = rng.normal(0, 1, (videos, 1)), rng.dirichlet(PRIOR * 3, (videos, 8))
    found = np.zeros((systems, videos, 8, 8), np.int64)
    for i in range(systems):
        luck = rng.normal(0, apart, (videos, 8)) + rng.normal(0, seed_spread, 8)
        right = 1 / (1 + np.exp(-(skill * np.log(PRIOR / 0.04) / 2 + hard + luck)))
        chances = mistaken * (1 - right[..., None])
        chances[:, np.arange(8), np.arange(8)] += right
        found[i] = rng.multinomial(truth, chances) * EPISODE
    return found


def affects(rng, videos, systems=1, apart=0.0, seed_spread=0.0):
    """Moments [systems, videos, 2, 6]: a video has a mean and a range of its own, and so have the predictions."""
    n = lengths(rng, videos)[:, None] * np.ones(2)
    mean = rng.normal([0.2, 0.15], [0.3, 0.25], (videos, 2))
    deviation = rng.gamma(4, 0.05, (videos, 2))
    slope = rng.normal(0.35, 0.2, (videos, 2))
    found = np.zeros((systems, videos, 2, 6))
    for i in range(systems):
        own = slope + rng.normal(0, apart, (videos, 2)) + rng.normal(0, seed_spread)
        predicted = 0.1 + 0.45 * mean + rng.normal(0, 0.15 + apart, (videos, 2))
        noise = rng.gamma(4, 0.03, (videos, 2))
        found[i] = np.stack(
            [n, mean, predicted, n * deviation**2, n * ((own * deviation) ** 2 + noise**2), n * own * deviation**2],
            axis=-1,
        )
    return found


def action_units(rng, videos, systems=1, apart=0.0, seed_spread=0.0):
    """Counts [systems, videos, 12, 4]: an action unit is common in few videos, and detected better in some of them."""
    n = np.maximum(lengths(rng, videos) // EPISODE, 1)[:, None] * np.ones(12, int)
    usual = np.array([0.12, 0.06, 0.16, 0.26, 0.4, 0.37, 0.25, 0.03, 0.03, 0.03, 0.65, 0.08])
    positive = rng.binomial(n, rng.beta(usual * 2, (1 - usual) * 2, (videos, 12)))
    hard, eager = rng.normal(0, 1, (2, videos, 12))
    found = np.zeros((systems, videos, 12, 4), np.int64)
    for i in range(systems):
        luck = rng.normal(0, apart, (2, videos, 12)) + rng.normal(0, seed_spread, (2, 1, 12))
        hit = rng.binomial(positive, 1 / (1 + np.exp(-(1 - hard + luck[0]))))
        false = rng.binomial(n - positive, 1 / (1 + np.exp(-(np.log(usual / (1 - usual)) - 0.7 + eager + luck[1]))))
        found[i] = np.stack([hit, false, positive - hit, n - positive - false], axis=-1) * EPISODE
    return found


GENERATORS = {"expr": expressions, "va": affects, "au": action_units}


def statistics(task, arrays):
    """Arrays [systems, videos, ...] as one UnitStatistics for each system."""
    return [SufficientStatistics(task, {task: one}) for one in arrays]


def jackknife(seeds, metric):
    """The jackknife over units of a metric, for each seed."""
    pooled = PooledStatistics(seeds)
    return Jackknife(pooled.metric(metric, pooled.total())[:, 0], pooled.metric(metric, pooled.leave_one_out()))
