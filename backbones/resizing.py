"""Resize batches of crops, with torch if its result is identical to Pillow's, else with Pillow.

Both resample in fixed-point arithmetic, first along the rows and then along the columns with rounding in between;
Pillow uses weights of 22 bits, torch of 15. The results agree if every weight is a short binary fraction, for example
when upscaling from 112 to 224 pixels. Otherwise some values of torch differ by one gray level (112 to 64 pixels) or two
(112 to 260 pixels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np
import torch
from torch.nn.functional import interpolate

from backbones.preprocessing import FILTER_SUPPORT, resize
from backbones.spec import Preprocessing

EXACT_BITS = 12
"""Number of binary digits up to which both libraries represent weights exactly."""


def resize_batch(images: Sequence[np.ndarray], preprocessing: Preprocessing) -> np.ndarray:
    """Resize crops with the same result as `resize` for each of them.

    Parameters
    ----------
    images : sequence of ndarray
        RGB crops of any sizes, uint8 [H, W, 3] each.
    preprocessing : Preprocessing
        Gives the size S and the interpolation.

    Returns
    -------
    ndarray
        uint8 [N, S, S, 3].
    """
    size = preprocessing.input_size
    shapes = {image.shape for image in images}
    if len(shapes) == 1 and _torch_matches_pillow(next(iter(shapes)), size, preprocessing.interpolation):
        pixels = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
        pixels = interpolate(pixels, size=(size, size), mode=preprocessing.interpolation, antialias=True)
        return pixels.permute(0, 2, 3, 1).numpy()
    resized = np.empty((len(images), size, size, 3), np.uint8)
    for row, image in enumerate(images):
        resized[row] = resize(image, preprocessing)
    return resized


def _torch_matches_pillow(shape: tuple[int, ...], size: int, interpolation: str) -> bool:
    return (
        interpolation in FILTER_SUPPORT
        and shape[:2] != (size, size)
        and all(_has_exact_weights(length, size, interpolation) for length in shape[:2])
    )


@cache
def _has_exact_weights(length: int, size: int, interpolation: str) -> bool:
    """Whether all weights for resizing `length` to `size` pixels are binary fractions of at most EXACT_BITS digits."""
    if length == size:
        return True
    scale = length / size
    stretch = max(scale, 1.0)
    reach = FILTER_SUPPORT[interpolation] * stretch
    for target in range(size):
        center = (target + 0.5) * scale
        first, end = max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), length)
        weights = [_filter_weight(abs(source - center + 0.5) / stretch, interpolation) for source in range(first, end)]
        total = math.fsum(weights)
        if any(not (weight / total * 2**EXACT_BITS).is_integer() for weight in weights):
            return False
    return True


def _filter_weight(distance: float, interpolation: str) -> float:
    """Evaluate the triangle filter or Keys' cubic filter (1981) with a = -0.5."""
    if interpolation == "bilinear":
        return max(0.0, 1.0 - distance)
    if distance < 1.0:
        return (1.5 * distance - 2.5) * distance * distance + 1.0
    return ((-0.5 * distance + 2.5) * distance - 4.0) * distance + 2.0 if distance < 2.0 else 0.0
