"""Small fields that everything is drawn with: bumps, steps and anti-aliased coverage (float32, element-wise)."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.interpolate import CubicSpline


def gaussian(x: np.ndarray, y: np.ndarray | float = 0.0) -> np.ndarray:
    """exp(-(x^2 + y^2)): 1 at the origin."""
    field = np.asarray(-(x * x) - y * y)
    return np.exp(field, out=field)


def smoothstep(x: np.ndarray) -> np.ndarray:
    """Cubic step: 0 below 0, 1 above 1."""
    x = np.clip(x, 0, 1)
    step = np.asarray(3 - 2 * x)
    step *= x
    step *= x
    return step


def smooth_window(x: np.ndarray, low: float | np.ndarray, high: float | np.ndarray, soft: float) -> np.ndarray:
    """About 1 between low and high, fading to 0 within `soft` on either side."""
    return smoothstep((x - low) / soft + 0.5) * smoothstep((high - x) / soft + 0.5)


def antialiased_coverage(inside: np.ndarray, pixel: np.ndarray | float) -> np.ndarray:
    """Coverage 0 to 1 of a pixel whose signed distance into a shape is `inside` (positive within)."""
    return np.clip(inside / (1.3 * pixel) + 0.5, 0, 1)


def blend(canvas: np.ndarray, colour: np.ndarray | float, alpha: np.ndarray) -> None:
    """Lay `colour` ([3] or [3, ...]) over canvas [3, ...] in place, with opacity alpha [...]."""
    colour = np.broadcast_to(np.asarray(colour, np.float32), (3,)) if np.ndim(colour) < 2 else colour
    for channel, paint in zip(canvas, colour):
        channel += alpha * (paint - channel)


def darken(canvas: np.ndarray, amount: np.ndarray) -> None:
    """Multiply canvas [3, ...] by 1 - amount in place."""
    canvas *= 1 - amount


@cache
def spline_matrix(nodes: int, size: int) -> np.ndarray:
    """float32 [size, nodes]: cubic interpolation of `nodes` equally spaced values, the first and last on the ends."""
    places = np.linspace(0, size - 1, nodes)
    return CubicSpline(places, np.eye(nodes))(np.arange(size)).astype(np.float32)


def sample_texture(texture: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Nearest texel of a tiling square texture; x and y in texels."""
    mask = len(texture) - 1
    index = (y.astype(np.int32) & mask) * len(texture) + (x.astype(np.int32) & mask)
    return texture.ravel()[index]
