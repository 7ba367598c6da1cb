"""A uint8 RGB crop becomes what a backbone's weights expect. numpy and Pillow only; always by the spec."""

from __future__ import annotations

import numpy as np
from PIL import Image

from backbones.spec import BackboneSpec, Preprocessing

FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "nearest": Image.Resampling.NEAREST,
    "lanczos": Image.Resampling.LANCZOS,
}

FILTER_SUPPORT = {"bilinear": 1.0, "bicubic": 2.0}
"""Pixels that a filter reaches to each side, where it does not shrink."""


def resize(image: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """uint8 [H, W, 3] RGB -> uint8 [S, S, 3]; Pillow's resampling, which is antialiased when it shrinks."""
    size = preprocessing.input_size
    if image.shape[:2] == (size, size):
        return image
    return np.asarray(Image.fromarray(image).resize((size, size), FILTERS[preprocessing.interpolation]))


def scale_and_offset(preprocessing: Preprocessing) -> tuple[np.ndarray, np.ndarray]:
    """float32 [3] each: a value of 0 to 255 is normalised by value * scale + offset."""
    std = np.asarray(preprocessing.std, np.float64)
    scale = (preprocessing.value_range / 255.0 / std).astype(np.float32)
    return scale, (-np.asarray(preprocessing.mean, np.float64) / std).astype(np.float32)


def normalize(images: np.ndarray, preprocessing: Preprocessing, out: np.ndarray | None = None) -> np.ndarray:
    """uint8 [N, S, S, 3] -> float32 [N, 3, S, S], a view whose memory is channels-last.

    out: float32 [N, S, S, 3], contiguous, to be that memory.
    """
    scale, offset = scale_and_offset(preprocessing)
    count, height, width, channels = images.shape
    # Rows of whole lines keep numpy's inner loop long; a trailing axis of 3 is ten times slower.
    lines = np.empty(images.shape, np.float32) if out is None else out
    lines = lines.reshape(count * height, width * channels)
    np.copyto(lines, images.reshape(lines.shape))
    lines *= np.tile(scale, width)
    lines += np.tile(offset, width)
    return lines.reshape(images.shape).transpose(0, 3, 1, 2)


def prepare(image: np.ndarray, spec: BackboneSpec | Preprocessing) -> np.ndarray:
    """uint8 [H, W, 3] RGB -> float32 [3, S, S] as the spec says."""
    preprocessing = spec.preprocessing if isinstance(spec, BackboneSpec) else spec
    return normalize(resize(image, preprocessing)[None], preprocessing)[0]
