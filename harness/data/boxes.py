"""Face boxes: from the corner and size that lists give to pixels cut out of an image."""

from __future__ import annotations

from math import floor

import numpy as np


def box_corners(x: np.ndarray, y: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """float32 [N, 4] left, top, right, bottom in pixels of N boxes; NaN where a box has no number or no size."""
    found = np.stack([x, y, x + width, y + height], axis=1).astype(np.float32)
    found[~((width > 0) & (height > 0) & np.isfinite(found).all(axis=1))] = np.nan
    return found


def crop_to_box(image: np.ndarray, box: np.ndarray, margin: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """The box's pixels, uint8 [h, w, 3], a view of image uint8 [H, W, 3]; the whole image for a box of NaN.

    box: left, top, right, bottom in pixels, rounded; margin: share of the box's width and height added on each
    side. What lies beyond the image's border is cut off; ValueError with a phrase when nothing is left.
    """
    left, top, right, bottom = (float(value) for value in box)
    if np.isnan([left, top, right, bottom]).all():
        return image
    if not np.isfinite([left, top, right, bottom]).all():
        raise ValueError(f"its face box {_format_box(box)} is not finite")
    if left >= right or top >= bottom:
        raise ValueError(f"its face box {_format_box(box)} is empty")
    height, width = image.shape[:2]
    columns = _clipped_slice(left, right, margin[0], width)
    rows = _clipped_slice(top, bottom, margin[1], height)
    if columns.start >= columns.stop or rows.start >= rows.stop:
        raise ValueError(f"its face box {_format_box(box)} lies outside its {width} x {height} pixels")
    return image[rows, columns]


def _clipped_slice(low: float, high: float, margin: float, length: int) -> slice:
    added = margin * (high - low)
    first, last = floor(low - added + 0.5), floor(high + added + 0.5)
    return slice(max(0, first), min(length, last))


def _format_box(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{float(value):g}" for value in box) + ")"
