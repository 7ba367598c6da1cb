"""Frames with drawn faces at known positions."""

from __future__ import annotations

import functools
from collections.abc import Iterable

import cv2
import numpy as np

from harness.data.synthetic.muscles import Scene
from harness.data.synthetic.projection import IMAGE_SIZE
from harness.data.synthetic.render import render_faces
from harness.data.synthetic.video import video_identity

WALL = 0.35
"""Brightness of the plain background, in linear light."""


def neutral_scene(count: int) -> Scene:
    """`count` images of a neutral face that looks straight ahead, under constant light."""
    ones = np.ones(count, np.float32)
    return Scene(
        np.zeros((count, 12), np.float32),
        0 * ones,
        0 * ones,
        np.zeros((count, 2), np.float32),
        0 * ones,
        np.zeros((count, 3), np.float32),
        np.tile(np.float32([46, IMAGE_SIZE / 2, 55]), (count, 1)),
        np.tile(np.float32([-0.35, -0.45, 0.82]), (count, 1)),
        0.4 * ones,
        np.ones((count, 3), np.float32),
    )


@functools.cache
def drawing(who: int, degrees: float = 0.0) -> np.ndarray:
    """uint8 [112, 112, 3], a person before the wall, head turned in the plane of the picture."""
    scene = neutral_scene(1)
    lit = render_faces(video_identity(3, who), scene, np.full((3, 1, 112, 112), WALL, np.float32))[:, 0]
    pixels = _seen(np.moveaxis(lit, 0, 2))
    turning = cv2.getRotationMatrix2D((56, 56), degrees, 1.0)
    return cv2.warpAffine(pixels, turning, (112, 112), borderMode=cv2.BORDER_CONSTANT, borderValue=[wall()] * 3)


def wall() -> int:
    return int(_seen(np.float32([WALL]))[0])


def frame(width: int, height: int, people: Iterable[tuple[int, float, float, int]], degrees: float = 0.0) -> np.ndarray:
    """uint8 [height, width, 3]; people: who, x and y of the centre, side of the drawing in pixels."""
    pixels = np.full((height, width, 3), wall(), np.uint8)
    for who, x, y, side in people:
        face = cv2.resize(
            drawing(who, degrees), (side, side), interpolation=cv2.INTER_AREA if side < 112 else cv2.INTER_CUBIC
        )
        left, top = round(x - side / 2), round(y - side / 2)
        own = face[max(-top, 0) : height - top, max(-left, 0) : width - left]
        pixels[max(top, 0) : top + side, max(left, 0) : left + side] = own
    return pixels


def _seen(light: np.ndarray) -> np.ndarray:
    return np.rint(255 * np.clip(light, 0, 1) ** (1 / 2.2)).astype(np.uint8)
