"""Check that the embedding of an imported graph depends on its input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from backbones.errors import BackboneError
from backbones.preprocessing import normalize
from backbones.spec import Preprocessing

TOLERANCE = 1e-6
"""Largest difference between equal embeddings, relative to the largest absolute value: a few units of float32."""


def probe_pixels(preprocessing: Preprocessing) -> Tensor:
    """Return three crops after the preprocessing of a network: black, white and noise."""
    shape = (preprocessing.input_size, preprocessing.input_size, 3)
    noise = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    crops = np.stack([np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8), noise])
    return torch.from_numpy(np.ascontiguousarray(normalize(crops, preprocessing)))


def require_varying(embeddings: Tensor, path: Path, remedy: str) -> None:
    """Raise BackboneError if a network computes the same embedding for all crops of `probe_pixels`.

    Parameters
    ----------
    embeddings : Tensor
        Embeddings of the three crops, one row for each.
    path : Path
        The imported file, for the message of an error.
    remedy : str
        What to do, for the message of an error.
    """
    if not (embeddings.amax(0) - embeddings.amin(0)).max() > TOLERANCE * embeddings.abs().max():
        raise BackboneError(f"{path} computes the same embedding for a black, a white and a noise image", remedy)
