"""Alignment of faces by five landmarks: the similarity transform to a standard template, and the aligned crop."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from harness.video.faces.boxes import Faces

FIVE_POINT = "five_point"
"""Name of this alignment in the preprocessing of a backbone and on the command line."""
TEMPLATE = np.array(
    [(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655), (70.7299, 92.2041)], np.float64
)
"""x and y of both eyes, the nose tip and the corners of the mouth, in the order of `Faces.landmarks`, in a crop of
`TEMPLATE_SIDE` pixels (the template of ArcFace)."""
TEMPLATE_SIDE = 112
MIN_SPREAD = 1e-6
"""Minimum sum of squared distances of landmarks from their center in pixels squared; below it, they coincide."""
MIN_SCALE = 1e-3
"""Limit to how far a face is shrunk before the warp; landmarks of a false detection may imply a smaller scale."""


@dataclass(frozen=True)
class FivePointAlignment:
    """Framing of crops in which eyes, nose and mouth are as close as possible to `TEMPLATE`; see `Framing`."""

    def cut(self, pixels: np.ndarray, faces: Faces, side: int) -> list[np.ndarray]:
        """Cut the aligned crop of each face; raise ValueError for faces without landmarks."""
        if faces.landmarks is None:
            raise ValueError("faces without landmarks cannot be aligned")
        return [align_face(pixels, landmarks, side) for landmarks in faces.landmarks]

    def as_json(self) -> str:
        """Return the name of the alignment."""
        return FIVE_POINT


def coincident(landmarks: np.ndarray) -> np.ndarray:
    """Return, for each face, whether it cannot be aligned because its five landmarks are one point."""
    points = np.asarray(landmarks, np.float64)
    return ((points - points.mean(axis=1, keepdims=True)) ** 2).sum(axis=(1, 2)) <= MIN_SPREAD


def similarity_transform(source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Compute the similarity transform that maps points to target points with the least squared distance.

    Parameters
    ----------
    source, target : array-like of float, shape (N, 2)
        At least two points; those of `source` must be finite and not all equal.

    Returns
    -------
    ndarray of float64, shape (2, 3)
        Rotation and scale, without reflection, in the first two columns and translation in the last one.

    Raises
    ------
    ValueError
        If the points of `source` are not finite, or all equal.

    References
    ----------
    Umeyama (1991), Least-squares estimation of transformation parameters between two point patterns. In two dimensions
    the rotation has a closed form without a singular value decomposition.

    Examples
    --------
    >>> transform = similarity_transform([(0, 0), (2, 0)], [(1, 1), (1, 5)])  # a quarter turn, twice as large
    >>> (transform.round(9) + 0.0).tolist()
    [[0.0, -2.0, 1.0], [2.0, 0.0, 1.0]]
    """
    source, target = np.asarray(source, np.float64), np.asarray(target, np.float64)
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    if not np.isfinite(source_mean).all() or (spread := float(((source - source_mean) ** 2).sum())) <= MIN_SPREAD:
        raise ValueError(f"landmarks {source.tolist()} are not finite, or all equal")
    from_center, to_center = source - source_mean, target - target_mean
    cosine = float((from_center * to_center).sum()) / spread
    sine = float((from_center[:, 0] * to_center[:, 1] - from_center[:, 1] * to_center[:, 0]).sum()) / spread
    matrix = np.array([[cosine, -sine], [sine, cosine]])
    return np.concatenate([matrix, (target_mean - matrix @ source_mean)[:, None]], axis=1)


def align_face(pixels: np.ndarray, landmarks: np.ndarray, side: int) -> np.ndarray:
    """Cut out a face rotated, scaled and shifted to the template; pixels beyond the frame repeat its border.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    landmarks : ndarray of float, shape (5, 2)
        In the order of `Faces.landmarks`.
    side : int
        Side S of the result; the template is scaled from `TEMPLATE_SIDE` pixels to it.

    Returns
    -------
    ndarray of uint8, shape (S, S, 3)

    Raises
    ------
    ValueError
        See `similarity_transform`.
    """
    transform = similarity_transform(landmarks, (TEMPLATE + 0.5) * (side / TEMPLATE_SIDE) - 0.5)
    shrink = int(1 / max(math.hypot(transform[0, 0], transform[1, 0]), MIN_SCALE))
    if shrink > 1:
        pixels, transform = _shrink(pixels, transform, side, shrink)
    return cv2.warpAffine(pixels, transform, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)


def _shrink(pixels: np.ndarray, transform: np.ndarray, side: int, shrink: int) -> tuple[np.ndarray, np.ndarray]:
    """Shrink the region of a crop by area averaging, because the warp alone would skip pixels of large faces.

    Returns
    -------
    region : ndarray of uint8
    transform : ndarray of shape (2, 3)
        Transform from the region to the crop.
    """
    inverse = cv2.invertAffineTransform(transform)
    corners = np.array([(x, y, 1) for x in (-1, side) for y in (-1, side)]) @ inverse.T
    height, width = pixels.shape[:2]
    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int) - shrink, 0, (width - 1, height - 1)).tolist()
    right, bottom = np.clip(np.ceil(corners.max(axis=0)).astype(int) + shrink, 1, (width, height)).tolist()
    region = pixels[top : max(bottom, top + 1), left : max(right, left + 1)]
    size = -(-region.shape[1] // shrink), -(-region.shape[0] // shrink)
    ratio = np.array([region.shape[1] / size[0], region.shape[0] / size[1]])
    offset = 0.5 * (ratio - 1) + (left, top)
    matrix = transform[:, :2] * ratio
    moved = transform[:, :2] @ offset + transform[:, 2]
    small = cv2.resize(region, size, interpolation=cv2.INTER_AREA)
    return small, np.concatenate([matrix, moved[:, None]], axis=1)
