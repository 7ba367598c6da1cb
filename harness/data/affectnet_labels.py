"""AffectNet's labels, whatever release they come in (Mollahosseini et al. 2017, arXiv 1708.03985).

Codes 8 None, 9 Uncertain and 10 No-Face are no expression: the images that bear them are left out, as published.
"""

from __future__ import annotations

import numpy as np

from backbones.spec import AFFECTNET
from harness.data.annotations import Rule

CODES = ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
NO_EXPRESSION = "labelled as none, uncertain or no face"
ORDER = np.array([AFFECTNET.index(name) for name in CODES], np.int64)
SPLITS = ("train", "validation")

CODE_RULE = Rule(int, lambda v: (v >= 0) & (v <= 10), "a code from 0 to 10")
AFFECT_RULE = Rule(float, lambda v: ((v >= -1) & (v <= 1)) | (v == -2), "a number from -1 to 1, or -2 for no label")


def expressions(codes: np.ndarray) -> np.ndarray:
    """int64 [N] into backbones.AFFECTNET of AffectNet's codes 0 to 7, int [N]."""
    return ORDER[codes]


def affects(valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """float32 [N, 2] with -5 for no label, of values from -1 to 1 where -2 and NaN are none."""
    values = np.stack([valence, arousal], axis=1).astype(np.float32)
    values[~(values >= -1)] = -5
    return values
