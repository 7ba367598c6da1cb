"""Spontaneous behavior in videos: subtle and incomplete expressions that come and go while people talk.

Spontaneous expressions are weaker than posed ones, seldom show the whole prototype, and mix with traces of others. The
label is that of an annotator who sees the whole video and so notices an expression at a low intensity. `Other` is the
most frequent class after `Neutral`, as in Aff-Wild2.
"""

from __future__ import annotations

import numpy as np

from harness.data.synthetic.acting import (
    ACTED_EXPRESSIONS,
    Acting,
    sample_blinks,
    sample_gestures,
    sample_peaks,
    sample_speech,
    smooth_noise,
)
from harness.data.synthetic.posed import sample_side
from harness.data.synthetic.prototypes import CIRCUMPLEX, LID_OPENING, PROTOTYPES
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS

EPISODES = (*ACTED_EXPRESSIONS, "Other", "Other", "Other")
"""Expressions of successive episodes: each basic expression once; Other four times, about a quarter of all frames."""
EPISODE_SLOT = 34
"""Number of frames from the start of one episode to the start of the next. Between episodes, the face is neutral."""
DURATION = (21, 38)
"""Range of the length of an episode in frames; about a third of all frames is left for Neutral, as in Aff-Wild2."""
INTENSITY = (0.5, 0.9)
"""Range of the intensity at the apex, relative to the prototype."""
LABEL_THRESHOLD = 0.25
"""Intensity above which expressions and action units are labeled as present."""
BLENDED = 0.2
"""Probability that traces of another expression are mixed in."""
BLEND_SHARE = (0.2, 0.4)
SPEECH_EVERY = 80
CONTEMPT_SHARE = 0.2
"""Share of the episodes of Other that are contempt, for which the challenge has no class."""
PARTIAL: dict[str, tuple[dict[str, float], ...]] = {
    "Anger": ({"AU4": 0.9, "AU7": 0.9}, {"AU4": 0.8, "AU7": 0.6, "AU24": 0.8}),
    "Disgust": ({"AU10": 1.0}, {"AU10": 0.9, "AU7": 0.5}),
    "Fear": ({"AU1": 1.0, "AU2": 0.7, "AU4": 0.6}, {"AU1": 0.9, "AU2": 0.6, "AU4": 0.7, "AU25": 0.4}),
    "Happiness": ({"AU6": 0.8, "AU12": 0.8}, {"AU12": 0.9}),
    "Sadness": ({"AU1": 0.8, "AU4": 0.5}, {"AU1": 0.6, "AU15": 0.9}),
    "Surprise": ({"AU1": 0.9, "AU2": 1.0}, {"AU1": 0.8, "AU2": 1.0, "AU25": 0.5}),
}
"""Parts of the prototypes that spontaneous expressions show; the mouth opens less than in posed ones."""


def simulate_spontaneous(
    rng: np.random.Generator, frames: int, expressions: list[str], expressiveness: float
) -> Acting:
    """Simulate a video with one episode of each expression, in order.

    Parameters
    ----------
    rng, frames, expressions, expressiveness
        See `harness.data.synthetic.acting.simulate_acting`.

    Returns
    -------
    Acting
    """
    units, label = np.zeros((frames, len(ACTION_UNITS))), np.zeros(frames, np.int64)
    wide, affect = np.zeros(frames), 0.1 * smooth_noise(rng, frames, 40, 2)
    asymmetry = np.clip(rng.normal(0, 0.4) + 0.3 * smooth_noise(rng, frames, 30)[:, 0], -1, 1)
    slot = frames / len(expressions)
    for i, name in enumerate(expressions):
        length = int(min(rng.uniform(*DURATION), frames))
        start = int(i * slot + rng.uniform(0, max(slot - length, 0)))
        shape = _sample_envelope(rng, frames, start, length)
        shown = "Contempt" if name == "Other" and rng.random() < CONTEMPT_SHARE else name
        curve = rng.uniform(*INTENSITY) * shape
        units = np.maximum(units, curve[:, None] * _sample_episode_peaks(rng, shown, expressiveness))
        label[curve > LABEL_THRESHOLD] = EXPRESSIONS.index(name)
        wide = np.maximum(wide, LID_OPENING.get(shown, 0.0) * curve)
        affect += curve[:, None] * (np.array(CIRCUMPLEX[shown]) + rng.normal(0, 0.1, 2))
        if shown == "Contempt":
            asymmetry = asymmetry + shape * (sample_side(rng) - asymmetry)
    units = units * (1 + 0.14 * smooth_noise(rng, frames, 2.5, len(ACTION_UNITS)))
    moving = np.maximum(sample_speech(rng, frames, SPEECH_EVERY), sample_gestures(rng, frames))
    return Acting(
        np.clip(np.maximum(units, moving), 0, 1),
        label,
        np.clip(affect, -1, 1),
        sample_blinks(rng, frames),
        wide,
        asymmetry,
        np.clip(0.025 * smooth_noise(rng, frames, 12, 2), -0.05, 0.05),
        LABEL_THRESHOLD,
    )


def _sample_envelope(rng: np.random.Generator, frames: int, start: int, length: int) -> np.ndarray:
    """Sample the shape of an episode, from 0 to 1: a quick onset, an apex that wavers, and a slower offset."""
    onset, offset = length * rng.uniform(0.12, 0.3), length * rng.uniform(0.2, 0.4)
    t = np.arange(frames) - start
    rise, fall = np.clip(t / onset, 0, 1), np.clip((length - t) / offset, 0, 1)
    curve = (rise * rise * (3 - 2 * rise)) * (fall * fall * (3 - 2 * fall))
    return np.clip(curve * (1 + 0.12 * smooth_noise(rng, frames, 8)[:, 0]), 0, 1)


def _sample_episode_peaks(rng: np.random.Generator, expression: str, expressiveness: float) -> np.ndarray:
    """Sample the action units (12,) of an episode: part of the prototype, and perhaps traces of another expression."""
    peaks = sample_peaks(rng, PARTIAL.get(expression, PROTOTYPES[expression]), expressiveness)
    if rng.random() < BLENDED:
        other = ACTED_EXPRESSIONS[rng.integers(len(ACTED_EXPRESSIONS))]
        peaks = np.maximum(peaks, rng.uniform(*BLEND_SHARE) * sample_peaks(rng, PROTOTYPES[other], 1.0))
    return peaks
