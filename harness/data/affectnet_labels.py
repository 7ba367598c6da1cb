"""Labels of AffectNet, common to all releases (Mollahosseini et al. 2017, arXiv 1708.03985).

Images with the codes 8 (None), 9 (Uncertain) and 10 (No-Face) are excluded, as in the paper.
"""

from __future__ import annotations

import numpy as np

from backbones.spec import AFFECTNET
from harness.data.annotation_formats import Rule

CODES = ("Neutral", "Happiness", "Sadness", "Surprise", "Fear", "Disgust", "Anger", "Contempt")
NO_EXPRESSION = "labelled as none, uncertain or no face"
ORDER = np.array([AFFECTNET.index(name) for name in CODES], np.int64)
SPLITS = ("train", "validation")

CODE_RULE = Rule(int, lambda v: (v >= 0) & (v <= 10), "a code from 0 to 10", 10)
AFFECT_RULE = Rule(float, lambda v: ((v >= -1) & (v <= 1)) | (v == -2), "a number from -1 to 1, or -2 for no label", -2)


def parse_expressions(codes: np.ndarray) -> np.ndarray:
    """Convert AffectNet's codes to indices into `backbones.spec.AFFECTNET`.

    Parameters
    ----------
    codes : int array of shape (N,)
        Codes from 0 to 7.

    Returns
    -------
    int64 array of shape (N,)
    """
    return ORDER[codes]


def parse_affects(valence: np.ndarray, arousal: np.ndarray) -> np.ndarray:
    """Stack valence and arousal, and mark missing labels as `Labels` does.

    Parameters
    ----------
    valence, arousal : array of shape (N,)
        Values in [-1, 1]; -2 or NaN for no label.

    Returns
    -------
    float32 array of shape (N, 2)
        -5 for no label.
    """
    values = np.stack([valence, arousal], axis=1).astype(np.float32)
    values[~(values >= -1)] = -5
    return values
