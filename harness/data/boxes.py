"""Face boxes: conversion to corners, and cropping."""

from __future__ import annotations

from math import floor

import numpy as np


def box_corners(x: np.ndarray, y: np.ndarray, width: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Convert boxes from corner and size to corners.

    Parameters
    ----------
    x, y, width, height : array of shape (N,)
        Left edge, top edge, width and height in pixels.

    Returns
    -------
    float32 array of shape (N, 4)
        Left, top, right, bottom in pixels; NaN for boxes that are not finite or have no area.
    """
    corners = np.stack([x, y, x + width, y + height], axis=1).astype(np.float32)
    corners[~((width > 0) & (height > 0) & np.isfinite(corners).all(axis=1))] = np.nan
    return corners


def crop_to_box(image: np.ndarray, box: np.ndarray, margin: tuple[float, float] = (0.0, 0.0)) -> np.ndarray:
    """Crop an image to a face box.

    Parameters
    ----------
    image : uint8 array of shape (H, W, 3)
    box : array of shape (4,)
        Left, top, right, bottom in pixels; rounded. NaN selects the whole image.
    margin : tuple of float, default (0.0, 0.0)
        Share of the box's width and height that is added on each side.

    Returns
    -------
    uint8 array of shape (h, w, 3)
        A view of `image`. Parts of the box beyond the border are cut off.

    Raises
    ------
    ValueError
        If the box is empty, covers no pixel of the image, or has values that are infinite or NaN (unless all are NaN).
        The message starts with `its face box`, to be put after the name of the image.
    """
    columns, rows = box_slices((image.shape[1], image.shape[0]), box, margin)
    return image[rows, columns]


def box_slices(size: tuple[int, int], box: np.ndarray, margin: tuple[float, float] = (0.0, 0.0)) -> tuple[slice, slice]:
    """Return the columns and rows of an image that a face box selects.

    Parameters
    ----------
    size : (int, int)
        Width and height of the image.
    box, margin
        See `crop_to_box`.

    Raises
    ------
    ValueError
        See `crop_to_box`.
    """
    left, top, right, bottom = (float(value) for value in box)
    width, height = size
    if np.isnan([left, top, right, bottom]).all():
        return slice(0, width), slice(0, height)
    if not np.isfinite([left, top, right, bottom]).all():
        raise ValueError(f"its face box {_format_box(box)} is not finite")
    if left >= right or top >= bottom:
        raise ValueError(f"its face box {_format_box(box)} is empty")
    columns = _clipped_slice(left, right, margin[0], width)
    rows = _clipped_slice(top, bottom, margin[1], height)
    if columns.start >= columns.stop or rows.start >= rows.stop:
        raise ValueError(f"its face box {_format_box(box)} covers none of its {width} x {height} pixels")
    return columns, rows


def _clipped_slice(low: float, high: float, margin: float, length: int) -> slice:
    padding = margin * (high - low)
    first, last = floor(low - padding + 0.5), floor(high + padding + 0.5)
    return slice(max(0, first), min(length, last))


def _format_box(box: np.ndarray) -> str:
    return "(" + ", ".join(f"{float(value):g}" for value in box) + ")"
