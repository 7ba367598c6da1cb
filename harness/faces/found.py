"""Boxes of faces in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_FACE = 0.3
WITHIN = 0.7
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


def faces_of(boxes: np.ndarray, scores: np.ndarray, hints: np.ndarray | None = None) -> Faces:
    """Of boxes [N, 4] that are of one face the one that comes first; scores, hints [N]."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    same = _same(boxes)
    kept: list[int] = []
    for row in range(len(boxes)):
        if not same[row, kept].any():
            kept.append(row)
    kept.sort(key=lambda row: tuple(boxes[row]))
    return Faces(boxes[kept], np.asarray(scores, np.float32)[kept],
                 None if hints is None else np.asarray(hints, np.int64)[kept])


def _same(boxes: np.ndarray) -> np.ndarray:
    start = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    end = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], boxes[None, :, :2] + boxes[None, :, 2:])
    common = np.clip(end - start, 0, None).prod(axis=2)
    areas = boxes[:, 2:].prod(axis=1)
    union = areas[:, None] + areas[None] - common
    return (common > SAME_FACE * union) | (common > WITHIN * np.minimum(areas[:, None], areas[None]))
