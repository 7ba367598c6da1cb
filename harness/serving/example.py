"""A face for a model's input example: a drawn one, because nobody's data set may be passed on with a model."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.image_decoding import decode
from harness.data.synthetic.stills import make_subject


def drawn_crop(side: int | None = None) -> np.ndarray:
    """uint8 [1, S, S, 3] RGB; side: S where a model takes no other, else 112."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "images").mkdir()
        make_subject(Path(folder), seed=0, index=0, images=1)
        [path] = Path(folder).glob("images/*.jpg")
        crop = decode(path)
    if side is not None:
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
    return crop[None]
