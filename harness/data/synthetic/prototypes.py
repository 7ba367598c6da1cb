"""Prototypes of the expressions: action units, valence and arousal, and opening of the lids.

The prototypes follow EMFACS (Ekman and Friesen); valence and arousal follow the circumplex model (Russell).
"""

from __future__ import annotations

PROTOTYPES: dict[str, tuple[dict[str, float], ...]] = {
    "Anger": (
        {"AU4": 1.0, "AU7": 0.8, "AU23": 0.85, "AU24": 0.6},
        {"AU4": 0.9, "AU7": 0.7, "AU23": 0.7, "AU24": 0.9},
        {"AU4": 1.0, "AU7": 0.9, "AU23": 0.9, "AU10": 0.4},
    ),
    "Disgust": (
        {"AU10": 1.0, "AU7": 0.6, "AU4": 0.4, "AU15": 0.5},
        {"AU10": 0.9, "AU4": 0.55, "AU7": 0.7, "AU25": 0.5},
    ),
    "Fear": (
        {"AU1": 0.9, "AU2": 0.6, "AU4": 0.7, "AU25": 0.8, "AU26": 0.5},
        {"AU1": 1.0, "AU2": 0.7, "AU4": 0.6, "AU25": 0.6},
    ),
    "Happiness": (
        {"AU6": 0.9, "AU12": 1.0, "AU25": 0.7},
        {"AU6": 0.7, "AU12": 0.9},
        {"AU6": 1.0, "AU12": 1.0, "AU25": 0.9, "AU26": 0.5},
    ),
    "Sadness": ({"AU1": 0.9, "AU4": 0.6, "AU15": 0.9}, {"AU1": 0.8, "AU4": 0.8, "AU15": 0.7, "AU7": 0.3}),
    "Surprise": (
        {"AU1": 1.0, "AU2": 1.0, "AU25": 0.9, "AU26": 0.9},
        {"AU1": 0.9, "AU2": 1.0, "AU25": 0.7, "AU26": 0.5},
    ),
    "Other": (
        {"AU24": 1.0, "AU12": 0.6},
        {"AU10": 0.8, "AU12": 0.6, "AU25": 0.7},
        {"AU2": 1.0, "AU23": 0.9},
        {"AU4": 0.7, "AU12": 0.8},
        {"AU24": 1.0, "AU15": 0.5, "AU2": 0.8},
    ),
    "Contempt": ({"AU12": 0.55}, {"AU12": 0.6, "AU7": 0.35}, {"AU12": 0.5, "AU10": 0.25}),
}
"""Intensities of action units at the apex, in several variants.

Contempt is a smile of one side, see `ONE_SIDED`; the dimple of AU14 is not drawn.
"""
CIRCUMPLEX = {
    "Anger": (-0.6, 0.65),
    "Disgust": (-0.65, 0.3),
    "Fear": (-0.6, 0.75),
    "Happiness": (0.8, 0.45),
    "Sadness": (-0.7, -0.4),
    "Surprise": (0.2, 0.8),
    "Other": (0.05, 0.2),
    "Contempt": (-0.5, 0.25),
}
LID_OPENING = {"Fear": 0.75, "Surprise": 0.85}
ONE_SIDED = 6.0
"""Asymmetry at which only one corner of the mouth rises, see `muscles`."""
