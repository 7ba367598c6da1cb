"""Simulated evaluation sets whose population value is known, to check confidence intervals and tests.

Videos differ in length (lognormal), in what they show, in how hard they are, and in the expressions that a system
predicts when it is wrong. A video is divided into episodes of one second; the frames of an episode are right or wrong
together. V is the number of videos, S the number of seeds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from harness.metrics.pooled_scores import score
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.metrics.unit_statistics import SufficientStatistics

FRAMES = np.array([177198, 16573, 10771, 9080, 95463, 78751, 31615, 165866])
"""Frames of each expression in the training videos of Aff-Wild2 (Kollias 2022, arXiv:2202.10659)."""
PRIOR = FRAMES / FRAMES.sum()
PREVALENCE = np.geomspace(0.02, 0.5, len(ACTION_UNITS))
"""Share of frames that show each action unit."""
EPISODE = 25
"""Number of consecutive frames with the same label and the same prediction."""
RARE_CLASSES, RARE_UNITS, RARE_SHARE = (1, 2, 3), 3, 2.5 / 70
"""Rare expressions, number of rare action units, and the share of videos that show each rare label."""
POPULATION_VIDEOS, POPULATION_SETS, POPULATION_SEEDS = 15_000, 8, 10
"""Size of the sets from which population values are computed."""


@dataclass(frozen=True)
class Population:
    """Distribution of videos, systems and trainings.

    Attributes
    ----------
    rare : bool
        Whether some labels are rare: three expressions, three action units, extreme valence and extreme arousal. Each
        of these occurs only in 2 to 3 of 70 videos.
    length_spread : float
        Standard deviation of the logarithm of the lengths.
    mixture : float
        Concentration of the Dirichlet distribution of a video's expressions: small values give videos with one
        expression.
    occurrence : float
        Concentration of the beta distribution of an action unit's prevalence in a video: small values give videos that
        show the action unit almost always or almost never.
    skill : float
        Log odds of recognizing an expression of average frequency.
    frequency_slope : float
        Slope of the log odds of recognizing an expression over the logarithm of its frequency.
    difficulty : float
        Standard deviation of the log odds between videos.
    affect_noise : float
        Standard deviation of a video's mean error in valence and arousal.
    video_luck, seed_luck : float
        Standard deviations of the random terms by which log odds differ from seed to seed. `video_luck` is for one term
        per column and video. `seed_luck` is for terms that are the same in all videos: one per column, and one for all
        columns.
    """

    rare: bool = False
    length_spread: float = 0.85
    mixture: float = 5.0
    occurrence: float = 1.5
    skill: float = 0.5
    frequency_slope: float = 0.4
    difficulty: float = 0.8
    affect_noise: float = 0.2
    video_luck: float = 0.5
    seed_luck: float = 0.2


def simulate(
    population: Population, random: np.random.Generator, videos: int, seeds: int
) -> list[SufficientStatistics]:
    """Simulate one evaluation set of task `mtl`.

    Parameters
    ----------
    population : Population
    random : Generator
    videos : int
        V.
    seeds : int
        S. With a single seed, `seed_luck` is 0, since the value to estimate is that of this one training.

    Returns
    -------
    list of SufficientStatistics
        One element for each seed, all on the same videos.
    """
    if seeds == 1:
        population = replace(population, seed_luck=0.0)
    lengths = np.clip(random.lognormal(7.6, population.length_spread, videos), 150, 20_000)
    episodes, hard = (lengths / EPISODE).astype(int), random.normal(0, population.difficulty, videos)
    blocks = {
        "va": _affects(population, random, episodes, hard, seeds),
        "expr": _expressions(population, random, episodes, hard, seeds),
        "au": _action_units(population, random, episodes, hard, seeds),
    }
    return [SufficientStatistics("mtl", {name: array[i] for name, array in blocks.items()}) for i in range(seeds)]


def population_values(population: Population, seeds: int) -> dict[str, float]:
    """Compute the population value of each metric, from very many videos.

    If `seeds` is above 1, each metric is averaged over many seeds.

    Returns
    -------
    dict of str to float
        Value by name of the metric.
    """
    seeds = POPULATION_SEEDS if seeds > 1 else 1
    generators = [np.random.default_rng([2**31, i]) for i in range(POPULATION_SETS)]
    sets = [simulate(population, random, POPULATION_VIDEOS, seeds) for random in generators]
    if seeds > 1:
        found = [score(each).metrics for one in sets for each in one]
    else:
        arrays = {name: np.concatenate([one[0].arrays[name] for one in sets]) for name in sets[0][0].arrays}
        found = [score(SufficientStatistics("mtl", arrays)).metrics]
    return {name: float(np.mean([metrics[name] for metrics in found])) for name in found[0]}


def _expressions(
    population: Population, random: np.random.Generator, episodes: np.ndarray, hard: np.ndarray, seeds: int
) -> np.ndarray:
    """Simulate confusion counts, [S, V, 8, 8]."""
    videos, classes = len(episodes), len(EXPRESSIONS)
    shown = _dirichlet(random, np.tile(PRIOR * population.mixture, (videos, 1)))
    if population.rare:
        shown = _make_rare(random, shown)
    truth = random.multinomial(episodes, shown)
    mistaken = _dirichlet(random, np.tile(PRIOR * 3, (videos, classes, 1)) * (1 - np.eye(classes)))
    skill = population.skill + population.frequency_slope * np.log(PRIOR / PRIOR.mean())
    skill = skill - hard[:, None] + random.normal(0, 0.8, (videos, classes))
    luck = _luck(population, random, (seeds, videos, classes))
    right = _logistic(skill + luck)[..., None]
    return random.multinomial(truth, mistaken * (1 - right) + np.eye(classes) * right) * EPISODE


def _make_rare(random: np.random.Generator, shown: np.ndarray) -> np.ndarray:
    """Move the rare classes into few videos. There they fill many frames, so that their overall share is unchanged."""
    videos, rare = len(shown), list(RARE_CLASSES)
    share = PRIOR[rare] / RARE_SHARE
    has_class = random.random((videos, len(rare))) < RARE_SHARE
    part = has_class * random.beta(share * 5, (1 - share) * 5, (videos, len(rare)))
    part /= np.maximum(part.sum(axis=1, keepdims=True), 1)
    moved = shown.copy()
    moved[:, rare] = 0
    moved *= np.maximum(1 - part.sum(axis=1, keepdims=True), 0) / moved.sum(axis=1, keepdims=True)
    moved[:, rare] = part
    return moved / moved.sum(axis=1, keepdims=True)


def _action_units(
    population: Population, random: np.random.Generator, episodes: np.ndarray, hard: np.ndarray, seeds: int
) -> np.ndarray:
    """Simulate counts (TP, FP, FN, TN) of 12 action units, [S, V, 12, 4]."""
    shape = (len(episodes), len(ACTION_UNITS))
    total = np.broadcast_to(episodes[:, None], shape)
    prevalence = random.beta(PREVALENCE * population.occurrence, (1 - PREVALENCE) * population.occurrence, shape)
    if population.rare:
        share = np.minimum(PREVALENCE[:RARE_UNITS] / RARE_SHARE, 0.9)
        few = (shape[0], RARE_UNITS)
        prevalence[:, :RARE_UNITS] = random.beta(share * 5, (1 - share) * 5, few) * (random.random(few) < RARE_SHARE)
    positive, odds = random.binomial(total, prevalence), np.log(PREVALENCE / (1 - PREVALENCE))
    sensitive, eager = random.normal(0, 1, (2, *shape))
    luck = _luck(population, random, (2 * seeds, *shape))
    hit = random.binomial(positive, _logistic(0.8 + 0.25 * odds - hard[:, None] / 2 + sensitive + luck[:seeds]))
    false = random.binomial(total - positive, _logistic(odds - 0.9 + eager + luck[seeds:]))
    return np.stack([hit, false, positive - hit, total - positive - false], axis=-1) * EPISODE


def _affects(
    population: Population, random: np.random.Generator, episodes: np.ndarray, hard: np.ndarray, seeds: int
) -> np.ndarray:
    """Simulate six moments of valence and of arousal, [S, V, 2, 6].

    Outputs follow the labels, with an error that is constant within a video and noise that is not.
    """
    shape = (len(episodes), 2)
    frames = np.broadcast_to(episodes[:, None] * EPISODE, (seeds, *shape))
    mean, deviation = random.normal(0.2, 0.28, shape), random.gamma(4, 0.045, shape)
    if population.rare:
        mean = np.where(random.random(shape) < RARE_SHARE, random.normal(-0.7, 0.1, shape), mean)
    luck = _luck(population, random, (seeds, *shape)) / 4
    slope = 0.5 + random.normal(0, 0.2, shape) - hard[:, None] / 10 + luck
    offset = random.normal(0, population.affect_noise, shape) + luck / 4
    predicted = 0.1 + (0.55 + luck.mean(axis=1, keepdims=True)) * mean + offset
    noise = random.gamma(4, 0.03, (seeds, *shape))
    true_squares = np.broadcast_to(frames * deviation**2, frames.shape)
    moments = [
        frames,
        np.broadcast_to(mean, frames.shape),
        predicted,
        true_squares,
        true_squares * slope**2 + frames * noise**2,
        true_squares * slope,
    ]
    return np.stack(moments, axis=-1)


def _luck(population: Population, random: np.random.Generator, shape: tuple[int, int, int]) -> np.ndarray:
    """Draw how trainings differ in log odds: float64 of `shape` (trainings, videos, columns).

    Each value is the sum of three parts: one per video and column, one per column, and one for all columns.
    """
    common = random.normal(0, population.seed_luck, (shape[0], 1, shape[2]))
    general = random.normal(0, population.seed_luck, (shape[0], 1, 1))
    return common + general + random.normal(0, population.video_luck, shape)


def _dirichlet(random: np.random.Generator, concentration: np.ndarray) -> np.ndarray:
    """Draw shares that sum to 1 in the last axis; a concentration of 0 gives 0."""
    drawn = random.gamma(concentration) + 1e-100 * (concentration > 0)
    return drawn / drawn.sum(axis=-1, keepdims=True)


def _logistic(values: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-values))
