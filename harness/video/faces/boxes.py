"""Bounding boxes of the faces in a frame, and the crops around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import cv2
import numpy as np

MIN_IOU = 0.3
MIN_CONTAINED = 0.7
"""Two boxes show the same face if their intersection exceeds `MIN_IOU` of their union or `MIN_CONTAINED` of the smaller
box."""


@dataclass(frozen=True, eq=False)
class Faces:
    """K faces of one frame, from left to right.

    Attributes
    ----------
    boxes : ndarray of float32, shape (K, 4)
        x, y, width and height in pixels; boxes may extend beyond the frame.
    scores : ndarray of float32, shape (K,)
        Confidence, on the detector's scale.
    hints : ndarray of int64, shape (K,), optional
        Information for the detector when it searches for the same faces in the next frame.
    landmarks : ndarray of float32, shape (K, 5, 2), optional
        x and y in pixels of the right eye, left eye, nose tip, right and left corner of the mouth, where right and left
        are those of the person; None if the detector does not find them.
    """

    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray | None = None
    landmarks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.boxes)


def merge_overlapping(
    boxes: np.ndarray, scores: np.ndarray, hints: np.ndarray | None = None, landmarks: np.ndarray | None = None
) -> Faces:
    """Merge boxes that show the same face by keeping the first of them.

    Parameters
    ----------
    boxes : array-like of float, shape (N, 4)
        x, y, width and height, the most reliable first.
    scores : array-like of float, shape (N,)
    hints : array-like of int, shape (N,), optional
    landmarks : array-like of float, shape (N, 5, 2), optional

    Returns
    -------
    Faces

    Examples
    --------
    >>> boxes = np.array([[10, 10, 20, 20], [11, 10, 20, 20], [90, 10, 20, 20]])
    >>> merge_overlapping(boxes, np.array([3, 2, 1])).boxes[:, 0].tolist()
    [10.0, 90.0]
    """
    boxes = np.asarray(boxes, np.float32).reshape(-1, 4)
    same_face = _overlaps(boxes)
    selected: list[int] = []
    for row in range(len(boxes)):
        if not same_face[row, selected].any():
            selected.append(row)
    selected.sort(key=lambda row: tuple(boxes[row]))
    return Faces(
        boxes[selected],
        np.asarray(scores, np.float32)[selected],
        None if hints is None else np.asarray(hints, np.int64)[selected],
        None if landmarks is None else np.asarray(landmarks, np.float32)[selected],
    )


def _overlaps(boxes: np.ndarray) -> np.ndarray:
    """Return a matrix with True for each pair of boxes that show the same face."""
    start = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    end = np.minimum(boxes[:, None, :2] + boxes[:, None, 2:], boxes[None, :, :2] + boxes[None, :, 2:])
    intersection = np.clip(end - start, 0, None).prod(axis=2)
    areas = boxes[:, 2:].prod(axis=1)
    union = areas[:, None] + areas[None] - intersection
    return (intersection > MIN_IOU * union) | (intersection > MIN_CONTAINED * np.minimum(areas[:, None], areas[None]))


class Framing(Protocol):
    """Rule for the position and size of crops; hashable, and equal to every framing with the same rule."""

    def cut(self, pixels: np.ndarray, faces: Faces, side: int) -> list[np.ndarray]:
        """Cut a square crop of each face from the RGB image `pixels`; `side` is the side of the crops in pixels."""

    def as_json(self) -> Any:
        """Return the rule as JSON types, for cache keys."""


@dataclass(frozen=True)
class Margin:
    """Size and position of a square crop relative to a detected box with side s, the mean of its width and height.

    It is a `Framing`.

    Attributes
    ----------
    scale : float
        Side of the crop, in units of s.
    dx, dy : float, default=0
        Offset of the crop's center from the box's center to the right and down, in units of s.
    """

    scale: float
    dx: float = 0.0
    dy: float = 0.0

    def square(self, box: np.ndarray) -> tuple[int, int, int]:
        """Return left, top and side of the crop around a box (x, y, width, height), in whole pixels.

        Examples
        --------
        >>> Margin(1.5).square(np.array([10.0, 10.0, 20.0, 20.0]))
        (5, 5, 30)
        """
        x, y, width, height = map(float, box)
        face = (width + height) / 2
        side = max(round(face * self.scale), 1)
        left = round(x + width / 2 + self.dx * face - side / 2)
        top = round(y + height / 2 + self.dy * face - side / 2)
        return left, top, side

    def cut(self, pixels: np.ndarray, faces: Faces, side: int) -> list[np.ndarray]:
        """Cut the crop around the box of each face; see `crop`."""
        return [crop(pixels, box, self, side) for box in faces.boxes]

    def as_json(self) -> list[float]:
        """Return the scale and the offsets."""
        return [self.scale, self.dx, self.dy]


def crop(pixels: np.ndarray, box: np.ndarray, margin: Margin, side: int | None = None) -> np.ndarray:
    """Cut out the square crop around a box; pixels beyond the frame repeat its border.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
    box : ndarray of float, shape (4,)
        x, y, width and height.
    margin : Margin
    side : int, optional
        Side S of the result, resized by area averaging or bicubic interpolation; by default the region is not resized.

    Returns
    -------
    ndarray of uint8, shape (S, S, 3) or (S, S)
    """
    left, top, cut = margin.square(box)
    rows = np.clip(np.arange(top, top + cut), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(left, left + cut), 0, pixels.shape[1] - 1)
    inside = left >= 0 and top >= 0 and left + cut <= pixels.shape[1] and top + cut <= pixels.shape[0]
    region = pixels[top : top + cut, left : left + cut] if inside else pixels[rows[:, None], columns]
    if side is None or side == cut:
        return np.ascontiguousarray(region)
    return cv2.resize(region, (side, side), interpolation=cv2.INTER_AREA if side < cut else cv2.INTER_CUBIC)
