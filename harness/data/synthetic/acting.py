"""Simulated facial behavior: episodes of expressions with onset, apex and offset, speech, blinks, valence and arousal.

Videos have T frames at 30 frames per second.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter1d

from harness.data.synthetic.prototypes import CIRCUMPLEX, LID_OPENING, PROTOTYPES
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS

LABEL_THRESHOLD = 0.35
"""Intensity above which expressions and action units are labeled as present."""
EPISODE_SLOT = 48

ACTED_EXPRESSIONS = tuple(name for name in PROTOTYPES if name in EXPRESSIONS)


@dataclass(frozen=True, eq=False)
class Acting:
    """Facial behavior in the T frames of one video.

    Attributes
    ----------
    action_units : array of shape (T, 12)
        Intensities from 0 to 1.
    expression : int64 array of shape (T,)
        Index into `EXPRESSIONS`.
    affect : array of shape (T, 2)
        Valence and arousal in [-1, 1].
    blink : array of shape (T,)
        Closure of the lids, from 0 (open) to 1 (closed).
    wide : array of shape (T,)
        Widening of the lids, from 0 to 1.
    asymmetry : array of shape (T,)
        Asymmetry of the expression, from -1 to 1; up to `prototypes.ONE_SIDED` in contempt.
    gaze : array of shape (T, 2)
        Offset of the pupils in face units.
    label_threshold : float
        Intensity above which an action unit is labeled as present.
    """

    action_units: np.ndarray
    expression: np.ndarray
    affect: np.ndarray
    blink: np.ndarray
    wide: np.ndarray
    asymmetry: np.ndarray
    gaze: np.ndarray
    label_threshold: float = LABEL_THRESHOLD

    @property
    def labels(self) -> np.ndarray:
        """Which action units are present, int64 of shape (T, 12)."""
        return (self.action_units > self.label_threshold).astype(np.int64)


def smooth_noise(rng: np.random.Generator, frames: int, period: float, columns: int = 1) -> np.ndarray:
    """Sample smooth random drift with unit standard deviation.

    Parameters
    ----------
    rng : numpy.random.Generator
    frames : int
    period : float
        Number of frames over which the drift changes.
    columns : int, default 1
        Number of independent signals.

    Returns
    -------
    array of shape (frames, columns)
    """
    pad = int(4 * period)
    drift = gaussian_filter1d(rng.standard_normal((frames + 2 * pad, columns)), period / 2, axis=0)
    return drift[pad : pad + frames] * np.sqrt(np.sqrt(np.pi) * period)


def sample_peaks(
    rng: np.random.Generator, prototypes: Sequence[Mapping[str, float]], expressiveness: float
) -> np.ndarray:
    """Sample the peak intensities of the action units in one episode of an expression.

    Parameters
    ----------
    rng : numpy.random.Generator
    prototypes : sequence of mapping of str to float
        Variants of an expression, see `PROTOTYPES`; one of them is drawn.
    expressiveness : float
        Factor of all intensities, see `Identity`.

    Returns
    -------
    array of shape (12,)
        Intensities from 0 to 1.
    """
    prototype = prototypes[int(rng.integers(len(prototypes)))]
    peaks = np.array([prototype.get(name, 0.0) for name in ACTION_UNITS])
    return np.clip(peaks * expressiveness * rng.uniform(0.78, 1.15, len(peaks)), 0, 1)


def sample_envelope(rng: np.random.Generator, frames: int, start: int, length: int) -> np.ndarray:
    """Sample the intensity curve of an episode: onset, apex with a peak of about 0.7 to 1, and offset.

    Parameters
    ----------
    rng : numpy.random.Generator
    frames : int
        Length of the video.
    start, length : int
        First frame and length of the episode.

    Returns
    -------
    array of shape (frames,)
    """
    onset, offset = length * rng.uniform(0.15, 0.35), length * rng.uniform(0.2, 0.4)
    t = np.arange(frames) - start
    rise, fall = np.clip(t / onset, 0, 1), np.clip((length - t) / offset, 0, 1)
    curve = (rise * rise * (3 - 2 * rise)) * (fall * fall * (3 - 2 * fall))
    return curve * rng.uniform(0.7, 1.0) * (1 + 0.07 * np.sin(0.35 * t + rng.uniform(0, 6)))


def sample_speech(rng: np.random.Generator, frames: int, every: float = 110) -> np.ndarray:
    """Sample lip and jaw movements (T, 12) of speech, which starts about every `every` frames."""
    talk = np.zeros((frames, len(ACTION_UNITS)))
    for _ in range(rng.poisson(frames / every)):
        start, length = rng.integers(frames), rng.integers(15, 50)
        t = np.arange(frames) - start
        gate = np.clip(np.minimum(t, length - t) / 5, 0, 1)
        beat = np.clip(0.5 + 0.6 * smooth_noise(rng, frames, 3.5, 3), 0, 1) * gate[:, None]
        for name, share, column in (("AU25", 0.7, 0), ("AU26", 0.45, 1), ("AU23", 0.4, 2)):
            unit = ACTION_UNITS.index(name)
            talk[:, unit] = np.maximum(talk[:, unit], share * beat[:, column])
    return talk


def sample_gestures(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Sample brief movements (T, 12) of single action units that are unrelated to the expression."""
    extra = np.zeros((frames, len(ACTION_UNITS)))
    for _ in range(rng.poisson(frames / 45)):
        unit = rng.integers(len(ACTION_UNITS))
        t = (np.arange(frames) - rng.integers(frames)) / rng.uniform(3, 8)
        extra[:, unit] = np.maximum(extra[:, unit], rng.uniform(0.15, 0.65) * np.exp(-t * t))
    return extra


def sample_blinks(rng: np.random.Generator, frames: int) -> np.ndarray:
    """Sample the closure of the lids (T,), from 0 to 1, with a blink about every 70 frames."""
    shut = np.zeros(frames)
    for start in rng.integers(0, frames, rng.poisson(frames / 70)):
        t = np.arange(frames) - start
        shut = np.maximum(shut, np.clip(1.4 - np.abs(t) / rng.uniform(1.6, 2.6), 0, 1))
    return shut


def simulate_acting(rng: np.random.Generator, frames: int, expressions: list[str], expressiveness: float) -> Acting:
    """Simulate a video with one episode of each expression, in order; the face is neutral in between.

    Parameters
    ----------
    rng : numpy.random.Generator
    frames : int
        Length of the video.
    expressions : list of str
    expressiveness : float
        Factor of all intensities, see `Identity`.

    Returns
    -------
    Acting
    """
    units = np.zeros((frames, len(ACTION_UNITS)))
    label, wide = np.zeros(frames, np.int64), np.zeros(frames)
    affect = 0.1 * smooth_noise(rng, frames, 40, 2)
    slot = frames / len(expressions)
    for i, name in enumerate(expressions):
        length = int(min(np.clip(slot * rng.uniform(0.68, 0.92), 25, 60), frames))
        start = int(i * slot + rng.uniform(0, max(slot - length, 0)))
        curve = sample_envelope(rng, frames, start, length)
        units = np.maximum(units, curve[:, None] * sample_peaks(rng, PROTOTYPES[name], expressiveness))
        label[curve > LABEL_THRESHOLD] = EXPRESSIONS.index(name)
        wide = np.maximum(wide, LID_OPENING.get(name, 0.0) * curve)
        affect += curve[:, None] * (np.array(CIRCUMPLEX[name]) + rng.normal(0, 0.07, 2))
    units = units * (1 + 0.14 * smooth_noise(rng, frames, 2.5, len(ACTION_UNITS)))
    units = np.clip(np.maximum(np.maximum(units, sample_speech(rng, frames)), sample_gestures(rng, frames)), 0, 1)
    return Acting(
        units,
        label,
        np.clip(affect, -1, 1),
        sample_blinks(rng, frames),
        wide,
        np.clip(rng.normal(0, 0.4) + 0.3 * smooth_noise(rng, frames, 30)[:, 0], -1, 1),
        np.clip(0.02 * smooth_noise(rng, frames, 12, 2), -0.05, 0.05),
    )


def sample_still_acting(rng: np.random.Generator, expression: str, expressiveness: float) -> Acting:
    """Sample a single frame with a strong expression, sometimes with speech, a blink or a stray movement.

    Parameters
    ----------
    rng : numpy.random.Generator
    expression : str
    expressiveness : float
        Factor of all intensities, see `Identity`.

    Returns
    -------
    Acting
    """
    strength = rng.uniform(0.7, 1.0)
    units, affect, wide = np.zeros(len(ACTION_UNITS)), rng.normal(0, 0.1, 2), 0.0
    if expression != "Neutral":
        units = strength * sample_peaks(rng, PROTOTYPES[expression], max(expressiveness, 0.9))
        affect = affect + strength * np.array(CIRCUMPLEX[expression])
        wide = LID_OPENING.get(expression, 0.0) * strength
    stray = rng.integers(len(ACTION_UNITS))
    units[stray] = max(units[stray], rng.uniform(0, 0.7) * (rng.random() < 0.2))
    talk = rng.random() < 0.08
    for name, share in (("AU25", 0.7), ("AU26", 0.5)):
        unit = ACTION_UNITS.index(name)
        units[unit] = max(units[unit], talk * rng.uniform(0, share))
    blink = 1.0 if rng.random() < 0.05 else max(0.0, rng.normal(0, 0.08))
    return Acting(
        np.clip(units, 0, 1)[None],
        np.array([EXPRESSIONS.index(expression)]),
        np.clip(affect, -1, 1)[None],
        np.array([blink]),
        np.array([wide]),
        np.clip(rng.normal(0, 0.5, 1), -1, 1),
        np.clip(rng.normal(0, 0.025, (1, 2)), -0.05, 0.05),
    )
