"""Posed expressions of still images, with the eight classes of AffectNet.

A posed face shows one prototype near its apex. Nobody talks, and few people blink.
"""

from __future__ import annotations

import numpy as np

from harness.data.synthetic.acting import Acting, sample_peaks
from harness.data.synthetic.prototypes import CIRCUMPLEX, LID_OPENING, ONE_SIDED, PROTOTYPES
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS

STRENGTH = (0.8, 1.0)
"""Range of the intensity, relative to the prototype."""
MIN_EXPRESSIVENESS = 0.9


def sample_posed(rng: np.random.Generator, expression: str, expressiveness: float) -> Acting:
    """Sample a posed expression.

    Parameters
    ----------
    rng : numpy.random.Generator
    expression : str
        One of the classes of AffectNet.
    expressiveness : float
        Factor of all intensities, see `Identity`.

    Returns
    -------
    Acting
        A single frame. Contempt, which is not among `EXPRESSIONS`, has the expression Other.
    """
    strength = rng.uniform(*STRENGTH)
    units, affect, wide = 0.08 * rng.random(len(ACTION_UNITS)), rng.normal(0, 0.08, 2), 0.0
    if expression != "Neutral":
        peaks = sample_peaks(rng, PROTOTYPES[expression], max(expressiveness, MIN_EXPRESSIVENESS))
        units = np.maximum(units, strength * peaks)
        affect = affect + strength * np.array(CIRCUMPLEX[expression])
        wide = LID_OPENING.get(expression, 0.0) * strength
    asymmetry = np.clip(rng.normal(0, 0.4), -1, 1)
    if expression == "Contempt":
        asymmetry = sample_side(rng)
    return Acting(
        np.clip(units, 0, 1)[None],
        np.array([EXPRESSIONS.index(expression if expression in EXPRESSIONS else "Other")]),
        np.clip(affect, -1, 1)[None],
        np.array([1.0 if rng.random() < 0.02 else max(0.0, rng.normal(0, 0.06))]),
        np.array([wide]),
        np.array([asymmetry]),
        np.clip(rng.normal(0, 0.015, (1, 2)), -0.05, 0.05),
    )


def sample_side(rng: np.random.Generator) -> float:
    """Sample the asymmetry of contempt: mostly one side of the mouth, left or right."""
    return float(rng.choice([-1, 1]) * rng.uniform(0.7, 1.0) * ONE_SIDED)
