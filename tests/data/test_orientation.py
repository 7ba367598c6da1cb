"""The eight orientations of images, compared with Pillow and FFmpeg."""

import numpy as np
import pytest
from PIL import Image, ImageOps

from harness.data.orientation import EXIF_ORIENTATIONS, from_display_matrix

PIXELS = np.random.default_rng(0).integers(0, 255, (5, 8, 3), np.uint8)
TURN = 1 << 16
"""One, in the fixed point numbers of a display matrix."""


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientations_turn_as_pillow_turns_them(orientation):
    image = Image.fromarray(PIXELS)
    image.getexif()[0x0112] = orientation
    turned = EXIF_ORIENTATIONS[orientation](PIXELS)
    assert np.array_equal(turned, np.asarray(ImageOps.exif_transpose(image))) and turned.flags.c_contiguous


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ((1, 0, 0, 1), PIXELS),
        ((0, -1, 1, 0), np.rot90(PIXELS)),
        ((0, 1, -1, 0), np.rot90(PIXELS, -1)),
        ((-1, 0, 0, -1), np.rot90(PIXELS, 2)),
        ((-1, 0, 0, 1), PIXELS[:, ::-1]),
        ((1, 0, 0, -1), PIXELS[::-1]),
        ((0, 1, 1, 0), PIXELS.swapaxes(0, 1)),
        ((0, -1, -1, 0), np.rot90(PIXELS, 2).swapaxes(0, 1)),
    ],
)
def test_display_matrices_turn_and_mirror(matrix, expected):
    a, b, c, d = (entry * TURN for entry in matrix)
    turned = from_display_matrix(np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32))(PIXELS)
    assert np.array_equal(turned, expected)
