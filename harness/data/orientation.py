"""Turn images upright according to the orientation in EXIF data or the display matrix of a video."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Orientation:
    """Transformation that makes an image upright.

    Rows and columns are exchanged first; then the image is mirrored.

    Attributes
    ----------
    transposed : bool
        Whether rows and columns are exchanged.
    mirrored : bool
        Whether left and right are exchanged.
    flipped : bool
        Whether top and bottom are exchanged.

    Examples
    --------
    >>> Orientation(mirrored=True)(np.array([[[1], [2]]])).ravel().tolist()
    [2, 1]
    """

    transposed: bool = False
    mirrored: bool = False
    flipped: bool = False

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Return the upright image as a contiguous array; `pixels` has the shape (height, width, channels)."""
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
"""Transformations by the orientation value of EXIF data."""


def from_display_matrix(matrix: np.ndarray) -> Orientation:
    """Return the transformation of a video's display matrix (9 int32 values), rounded to the nearest quarter turn."""
    a, b, c, d = (int(matrix[index]) for index in (0, 1, 3, 4))
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, mirrored=c < 0, flipped=b < 0)
    return Orientation(mirrored=a < 0, flipped=d < 0)
