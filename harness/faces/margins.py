"""The margin that the crops of a data set have around the box a detector finds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector import Detector

DEFAULT = Margin(1.02, 0.0, 0.04)
"""Between what the default detector finds in grey photographs of real faces (1.03, 0, 0) and in a rendered set in the
layout of Aff-Wild2 (1.00, 0, 0.07)."""

FEWEST = 20
"""Faces found in the crops of a data set; with fewer nothing is said of its margin."""
MOST = 40
"""Crops that are looked at."""

PADDED, SIDE = 1.5, 168
"""Side of a padded crop, in sides of the crop and in pixels; with fewer pixels boxes come out too large."""


def margin_of(crops: Sequence[np.ndarray], detector: Detector) -> Margin | None:
    """The median over crops, each uint8 [S, S, 3], in which the detector finds one face; None where it finds few.

    The crops are padded first: detectors look for faces that lie within a picture, not for one that fills it.
    """
    rows = []
    for pixels in crops[::max(-(-len(crops) // MOST), 1)]:
        side = max(pixels.shape[:2])
        whole = np.array([0.0, 0.0, pixels.shape[1], pixels.shape[0]])
        padded = crop(pixels, whole, Margin(PADDED), SIDE)
        faces = detector(padded)
        if len(faces) != 1:
            continue
        x, y, width, height = faces.boxes[0] * PADDED * side / SIDE
        face = (width + height) / 2
        middle = PADDED * side / 2
        rows.append((side / face, (middle - x - width / 2) / face, (middle - y - height / 2) / face))
    if len(rows) < FEWEST:
        return None
    scale, dx, dy = np.median(rows, axis=0)
    return Margin(round(float(scale), 3), round(float(dx), 3), round(float(dy), 3))
