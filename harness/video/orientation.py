"""Pixels put upright: the eight ways in which a camera says that its picture lies on its side or is mirrored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Orientation:
    """Rows and columns exchanged first, then the picture mirrored left to right (`across`), upside down (`down`)."""

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 [H, W, 3] -> the same pixels upright, contiguous."""
        turned = pixels.swapaxes(0, 1) if self.transposed else pixels
        return np.ascontiguousarray(turned[:: -1 if self.flipped else 1, :: -1 if self.mirrored else 1])


UPRIGHT = Orientation()
EXIF_ORIENTATIONS = {
    1: UPRIGHT,
    2: Orientation(mirrored=True),
    3: Orientation(mirrored=True, flipped=True),
    4: Orientation(flipped=True),
    5: Orientation(True),
    6: Orientation(True, mirrored=True),
    7: Orientation(True, True, True),
    8: Orientation(True, flipped=True),
}
"""By the orientation that the EXIF data of a photo names."""


def from_display_matrix(matrix: np.ndarray) -> Orientation:
    """int32 [9], the display matrix of a video, rounded to the nearest quarter turn."""
    a, b, c, d = (int(matrix[place]) for place in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, mirrored=c < 0, flipped=b < 0)
    return Orientation(mirrored=a < 0, flipped=d < 0)
