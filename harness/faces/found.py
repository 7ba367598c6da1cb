"""Boxes of faces in one frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SAME_FACE = 0.3
"""Boxes that share more of their union than this are of one face."""


@dataclass(frozen=True, eq=False)
class Faces:
    """K faces of one frame, from left to right.

    boxes: float32 [K, 4] x, y, width and height in pixels, which may reach beyond the frame; scores: float32 [K], how
    sure the detector is, on a scale of its own.
    """

    boxes: np.ndarray
    scores: np.ndarray

    def __len__(self) -> int:
        return len(self.boxes)


def faces_of(boxes: np.ndarray, scores: np.ndarray) -> Faces:
    """Of boxes [N, 4] that overlap the surest one, the rest from left to right; scores [N]."""
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    scores = np.asarray(scores, np.float32).reshape(-1)
    kept: list[int] = []
    shared = overlaps(boxes, boxes)
    for row in np.lexsort((boxes[:, 1], boxes[:, 0], -scores)):
        if not (shared[row, kept] > SAME_FACE).any():
            kept.append(int(row))
    kept.sort(key=lambda row: tuple(boxes[row]))
    return Faces(boxes[kept], scores[kept])


def overlaps(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Boxes [A, 4] and [B, 4] -> [A, B], what each two share of their union, 0 to 1."""
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    start = np.maximum(first[:, None, :2], second[None, :, :2])
    end = np.minimum(first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:])
    common = np.clip(end - start, 0, None).prod(axis=2)
    union = first[:, 2:].prod(axis=1)[:, None] + second[:, 2:].prod(axis=1)[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)
