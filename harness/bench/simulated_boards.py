"""Simulated leaderboards (boards): rows whose true scores are known, on the same videos.

Videos differ in length (lognormal), in what they show and in how hard they are. For expressions and action units, a
video is divided into episodes of one second; the frames of an episode are right or wrong together. What a row gets
right in a video depends on the video and on the luck of the row. On boards with families, the rows of one family (such
as heads on one backbone) share a part of their luck. R is the number of rows, V the number of videos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.metrics.unit_statistics import SufficientStatistics

FRAMES = np.array([177198, 16573, 10771, 9080, 95463, 78751, 31615, 165866])
"""Frames of each expression in the training videos of Aff-Wild2 (Kollias 2022, arXiv:2202.10659)."""
PRIOR = FRAMES / FRAMES.sum()
PREVALENCE = np.geomspace(0.02, 0.5, len(ACTION_UNITS))
"""Share of frames that show each action unit."""
EPISODE = 25
"""Number of consecutive frames with the same label and the same prediction, for expressions and action units."""
LUCK = {"expr": 0.3, "va": 0.04, "au": 0.3}
"""Standard deviation of a row's luck with a video, in log odds; for "va", in the slope of predictions over labels."""
FAMILY_SIZE = 6
FAMILY_SHARE = 0.85
"""Share of the variance of the luck that rows of a family have in common."""


@dataclass(frozen=True)
class SimulatedRows:
    """Number of rows of a board, and how their scores and errors are related.

    Attributes
    ----------
    rows : int
        Number of rows, R.
    lead : float, default=0
        How much better the first row truly is than the others, in the units of `LUCK`.
    families : bool, default=False
        Whether rows come in families that have similar errors. If not, all rows are equally similar.
    """

    rows: int
    lead: float = 0.0
    families: bool = False

    def luck(self, random: np.random.Generator, deviation: float, shape: tuple[int, ...]) -> np.ndarray:
        """Draw the luck of each row, an array of shape (R, *shape); the lead is added to the luck of the first row."""
        own = random.normal(0, deviation, (self.rows, *shape))
        if self.families:
            family = np.arange(self.rows) // FAMILY_SIZE
            shared = random.normal(0, deviation, (family[-1] + 1, *shape))[family]
            own = np.sqrt(1 - FAMILY_SHARE) * own + np.sqrt(FAMILY_SHARE) * shared
        own[0] += self.lead
        return own


def simulate_board(
    task: str, random: np.random.Generator, videos: int, rows: SimulatedRows
) -> list[list[SufficientStatistics]]:
    """Simulate the per-video counts or moments of one training seed, for each row of a board.

    Parameters
    ----------
    task : {"expr", "va", "au"}
    random : Generator
    videos : int
        Number of videos, V.
    rows : SimulatedRows

    Returns
    -------
    list of list of SufficientStatistics
        For each row, a list with one element, as `harness.metrics.best_comparisons.compare_with_best` takes it.
    """
    lengths = np.clip(random.lognormal(7.6, 0.8, videos), 150, 20_000)
    episodes = np.maximum(lengths // EPISODE, 1).astype(int)
    return [[SufficientStatistics(task, {task: array})] for array in _SIMULATORS[task](random, episodes, rows)]


def _expressions(random: np.random.Generator, episodes: np.ndarray, rows: SimulatedRows) -> np.ndarray:
    """Simulate confusion counts, [R, V, 8, 8]."""
    videos, classes = len(episodes), len(EXPRESSIONS)
    truth = random.multinomial(episodes, random.dirichlet(PRIOR * 3 + 0.02, videos))
    hard, mistaken = random.normal(0, 1, (videos, 1)), random.dirichlet(PRIOR * 3 + 0.02, (videos, classes))
    luck = rows.luck(random, LUCK["expr"], (videos, classes))
    right = _logistic(0.6 * np.log(PRIOR / 0.04) + hard + luck)
    chances = mistaken * (1 - right[..., None])
    chances[..., np.arange(classes), np.arange(classes)] += right
    chances /= chances.sum(axis=-1, keepdims=True)
    return random.multinomial(np.broadcast_to(truth, right.shape), chances) * EPISODE


def _affects(random: np.random.Generator, episodes: np.ndarray, rows: SimulatedRows) -> np.ndarray:
    """Simulate six moments of valence and of arousal, [R, V, 2, 6]; means and deviations differ between videos.

    Without a lead, P_VA is about 0.36. This leaves room for a row that is far ahead.
    """
    videos, shape = len(episodes), (rows.rows, len(episodes), 2)
    n = episodes[:, None] * EPISODE * np.ones(2)
    mean = random.normal([0.2, 0.15], [0.3, 0.25], (videos, 2))
    deviation, slope = random.gamma(4, 0.05, (videos, 2)), random.normal(0.35, 0.2, (videos, 2))
    gain = slope + rows.luck(random, LUCK["va"], (videos, 2))
    level = 0.2 + np.where(np.arange(rows.rows) == 0, rows.lead, 0)[:, None, None]
    shared = random.normal(0, 0.15, (videos, 2))
    predicted = 0.1 + level * mean + shared + SimulatedRows(rows.rows, 0, rows.families).luck(random, 0.03, (videos, 2))
    noise = random.gamma(4, 0.03, shape)
    squares = n * ((gain * deviation) ** 2 + noise**2)
    moments = [n, mean, predicted, n * deviation**2, squares, n * gain * deviation**2]
    return np.stack([np.broadcast_to(moment, shape) for moment in moments], axis=-1)


def _action_units(random: np.random.Generator, episodes: np.ndarray, rows: SimulatedRows) -> np.ndarray:
    """Simulate counts (TP, FP, FN, TN) of 12 action units, [R, V, 12, 4]; prevalence and difficulty vary by video."""
    shape = (len(episodes), len(ACTION_UNITS))
    n = np.broadcast_to(episodes[:, None], shape)
    positive = random.binomial(n, random.beta(PREVALENCE * 2, (1 - PREVALENCE) * 2, shape))
    hard, eager = random.normal(0, 1, (2, *shape))
    hit = _logistic(1 - hard + rows.luck(random, LUCK["au"], shape))
    false = _logistic(np.log(PREVALENCE / (1 - PREVALENCE)) - 0.7 + eager - rows.luck(random, LUCK["au"], shape))
    tp, fp = random.binomial(positive, hit), random.binomial(n - positive, false)
    return np.stack([tp, fp, positive - tp, n - positive - fp], axis=-1) * EPISODE


def _logistic(log_odds: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-log_odds))


_SIMULATORS: dict[str, Callable[[np.random.Generator, np.ndarray, SimulatedRows], np.ndarray]] = {
    "expr": _expressions,
    "va": _affects,
    "au": _action_units,
}
