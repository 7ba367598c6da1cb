"""Input example of a logged model: one synthetic face crop."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.image_decoding import decode_image
from harness.data.synthetic.settings import SyntheticStills
from harness.data.synthetic.stills import write_subject


def synthetic_example(side: int | None = None) -> np.ndarray:
    """Render one synthetic face crop.

    Parameters
    ----------
    side : int, optional
        Side of the crop in pixels. Default: 112.

    Returns
    -------
    ndarray of shape (1, side, side, 3)
        uint8 RGB.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "images").mkdir()
        write_subject(Path(folder), SyntheticStills(images=6, identities=6), index=0)  # one image
        [path] = Path(folder).glob("images/*.jpg")
        crop = decode_image(path)
    if side is not None:
        crop = np.asarray(Image.fromarray(crop).resize((side, side), Image.Resampling.BICUBIC))
    return crop[None]
