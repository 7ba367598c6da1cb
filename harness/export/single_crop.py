"""Wrap model files that take one crop per call as functions of any number of crops.

This module does not import torch: its memory would be included in that measured for files that run without torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from harness.export.formats import Model
from harness.utils.errors import FramelightError


def single_crop_model(path: Path, size: int, run: Callable[[np.ndarray], Mapping[str, np.ndarray]]) -> Model:
    """Make a model for one or more crops from a function of a single crop.

    Parameters
    ----------
    path : Path
        Model file, named in error messages.
    size : int
        Side of a crop in pixels; other sizes raise FramelightError.
    run : callable
        Takes a uint8 array of shape (1, size, size, 3) and returns arrays by name.
    """

    def model(crops: np.ndarray) -> dict[str, np.ndarray]:
        if crops.ndim != 4 or crops.shape[1:] != (size, size, 3) or not len(crops):
            raise FramelightError(f"{path} takes crops of {size} x {size} pixels, not {list(crops.shape)}")
        rows = [run(crop) for crop in np.split(np.ascontiguousarray(crops), len(crops))]
        return {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}

    return model
