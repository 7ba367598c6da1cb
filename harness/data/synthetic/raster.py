"""Element-wise drawing primitives: bumps, steps, anti-aliased coverage and blending (float32)."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.interpolate import CubicSpline


def gaussian(x: np.ndarray, y: np.ndarray | float = 0.0) -> np.ndarray:
    """Return exp(-(x^2 + y^2))."""
    field = np.asarray(-(x * x) - y * y)
    return np.exp(field, out=field)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Return the cubic step of x: 0 below 0, 1 above 1."""
    x = np.clip(x, 0, 1)
    step = np.asarray(3 - 2 * x)
    step *= x
    step *= x
    return step


def smooth_window(x: np.ndarray, low: float | np.ndarray, high: float | np.ndarray, soft: float) -> np.ndarray:
    """Return 1 between `low` and `high` and 0 outside, with smooth transitions of width `soft` centered on both."""
    return smoothstep((x - low) / soft + 0.5) * smoothstep((high - x) / soft + 0.5)


def antialiased_coverage(inside: np.ndarray, pixel: np.ndarray | float) -> np.ndarray:
    """Return how much of each pixel a shape covers, 0 to 1; `inside` is the distance to its edge, negative outside."""
    return np.clip(inside / (1.3 * pixel) + 0.5, 0, 1)


def blend(canvas: np.ndarray, color: np.ndarray | tuple[float, float, float] | float, alpha: np.ndarray) -> None:
    """Blend a color over a canvas in place.

    Parameters
    ----------
    canvas : float32 array
        Its first axis has the three color channels.
    color : float, or array of shape (3,) or of the shape of `canvas`
    alpha : float32 array
        Opacity from 0 to 1, with the shape of one channel.
    """
    paint = np.asarray(color)
    channels = np.broadcast_to(paint.astype(np.float32), (3,)) if paint.ndim < 2 else paint
    for channel, value in zip(canvas, channels):
        channel += alpha * (value - channel)


def darken(canvas: np.ndarray, amount: np.ndarray) -> None:
    """Multiply a canvas, whose first axis has the three color channels, by 1 - amount in place."""
    canvas *= 1 - amount


@cache
def spline_matrix(nodes: int, size: int) -> np.ndarray:
    """Return the float32 matrix that interpolates `nodes` equally spaced values at `size` points by a cubic spline."""
    positions = np.linspace(0, size - 1, nodes)
    return CubicSpline(positions, np.eye(nodes))(np.arange(size)).astype(np.float32)


def sample_texture(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sample a tiling square texture, whose side is a power of two, at x and y truncated to whole texels."""
    mask = len(texture) - 1
    index = (y.astype(np.int32) & mask) * len(texture) + (x.astype(np.int32) & mask)
    return texture.ravel()[index]
