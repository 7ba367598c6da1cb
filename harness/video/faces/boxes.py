"""Boxes of faces in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

MIN_IOU = 0.3
MIN_CONTAINED = 0.7
"""Boxes are of one face when they share more than SAME_FACE of their union, or more than WITHIN of the smaller one."""


@dataclass(frozen=True, eq=False)
class Faces:
    """K faces of one frame, from left to right.

    boxes: float32 [K, 4] x, y, width and height in pixels, which may reach beyond the frame; scores: float32 [K], how
    sure the detector is, on a scale of its own; hints: int64 [K], what it wants to be told when it looks for these
    faces again, None where it wants nothing.
    """

    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)


def merge_overlapping(boxes: np.ndarray, scores: np.ndarray, hints: np.ndarray | None = None) -> Faces:
    """Of boxes [N, 4] that are of one face the one that comes first; scores, hints [N]."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    same = _overlaps(boxes)
    kept: list[int] = []
    for row in range(len(boxes)):
        if not same[row, kept].any():
            kept.append(row)
    kept.sort(key=lambda row: tuple(boxes[row]))
    return Faces(
        boxes[kept], np.asarray(scores, np.float32)[kept], None if hints is None else np.asarray(hints, np.int64)[kept]
    )


def _overlaps(boxes: np.ndarray) -> np.ndarray:
    start = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    end = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], boxes[None, :, :2] + boxes[None, :, 2:])
    common = np.clip(end - start, 0, None).prod(axis=2)
    areas = boxes[:, 2:].prod(axis=1)
    union = areas[:, None] + areas[None] - common
    return (common > MIN_IOU * union) | (common > MIN_CONTAINED * np.minimum(areas[:, None], areas[None]))


@dataclass(frozen=True)
class Margin:
    """How a crop lies around a found box of side s (the mean of its width and height).

    scale: side of the crop in s; dx, dy: from the centre of the box to that of the crop in s, to the right and down.
    """

    scale: float
    dx: float = 0.0
    dy: float = 0.0

    def square(self, box: np.ndarray) -> tuple[int, int, int]:
        """Left, top and side in whole pixels of the crop around a box x, y, width, height."""
        x, y, width, height = map(float, box)
        face = (width + height) / 2
        side = max(round(face * self.scale), 1)
        left = round(x + width / 2 + self.dx * face - side / 2)
        top = round(y + height / 2 + self.dy * face - side / 2)
        return left, top, side


def crop(pixels: np.ndarray, box: np.ndarray, margin: Margin, side: int | None = None) -> np.ndarray:
    """uint8 [S, S, 3] of a frame [H, W, 3], or [S, S] of a grey one; outside the frame its outermost pixels go on.

    side: S, by averaging where it is smaller than what is cut out; None: as many pixels as lie there.
    """
    left, top, cut = margin.square(box)
    rows = np.clip(np.arange(top, top + cut), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(left, left + cut), 0, pixels.shape[1] - 1)
    inside = left >= 0 and top >= 0 and left + cut <= pixels.shape[1] and top + cut <= pixels.shape[0]
    found = pixels[top : top + cut, left : left + cut] if inside else pixels[rows[:, None], columns]
    if side is None or side == cut:
        return np.ascontiguousarray(found)
    return cv2.resize(found, (side, side), interpolation=cv2.INTER_AREA if side < cut else cv2.INTER_CUBIC)
