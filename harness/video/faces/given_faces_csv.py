"""Read a CSV file of faces by py-feat, OpenFace, MediaPipe or `framelight predict`: frames, boxes and landmarks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from harness.utils.errors import InputError
from harness.video.faces.given_faces_table import CORNERS, FRAME, PY_FEAT, SCORE, FacesTable

EYES, NOSE, MOUTH = ((36, 42), (42, 48)), 30, (48, 54)
"""Indices, among the 68 points of OpenFace, of the person's right and left eye (first index and end), of the nose tip,
and of the corners of the mouth."""
LANDMARK_BOX = (0.0, -0.31, 3.27, 4.63)
"""Box of a detector relative to the five landmarks of the face: offset of its center to the right and down, width and
height. The unit is the spread of the landmarks, see `box_of_landmarks`.

Medians over 582 boxes of the detector `yunet` in eight clips of real faces; the offset to the right is 0 by
symmetry."""


MAX_PIXELS = 1_000_000
"""Largest position of a box or landmark, and largest side of a box."""
MAX_FRAME = 10**9 - 1
"""Largest frame number, as in tables of labels."""


@dataclass(frozen=True, eq=False)
class FaceRows:
    """N faces.

    Attributes
    ----------
    frames : ndarray of int64, shape (N,)
        Frame numbers from 1.
    boxes : ndarray of float32, shape (N, 4)
        x, y, width and height.
    scores : ndarray of float32, shape (N,)
        NaN where the file has none.
    lines : ndarray of int64, shape (N,)
        Line number of each face in the file.
    landmarks : ndarray of float32, shape (N, 5, 2), or None
        See `harness.video.faces.boxes.Faces`.
    ids : ndarray of int64, shape (N,), or None
        Ids from 1.
    notes : tuple of str
        Messages about how the file was read.
    """

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    lines: np.ndarray
    landmarks: np.ndarray | None = None
    ids: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def take(self, order: np.ndarray) -> FaceRows:
        """Return the faces in the order that an array of N indices gives."""
        arrays: dict[str, Any] = {
            name: value[order] for name, value in vars(self).items() if isinstance(value, np.ndarray)
        }
        return replace(self, **arrays)


def read_face_rows(path: Path) -> FaceRows:
    """Read the faces of a CSV file.

    Frames of py-feat are counted from 0, those of OpenFace from 1. Other files are counted from 0 if they have a frame
    0, else from 1. Rows with an empty box, or with 0 in `success` or `found`, are frames without a face.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has an invalid row; the message names its line.
    """
    table = FacesTable(path)
    frame = table.require(FRAME)
    frames = table.numbers(frame, np.arange(len(table)))
    form, points = table.box_form(), table.find_points()
    is_py_feat = form is PY_FEAT
    box = [table.require(names) for names in form] if points is None or is_py_feat else []
    rows = table.rows_with_face(box or points or [])
    if not len(rows):
        raise InputError(f"{path}: no row has a face; give a file with the boxes of at least one frame")
    valid = (frames[rows] >= 0) & (frames[rows] <= MAX_FRAME) & (frames[rows] % 1 == 0)
    table.check(rows, frame, np.asarray(valid), "not the number of a frame")
    numbers = frames[rows].astype(np.int64)
    notes: tuple[str, ...] = ()
    if is_py_feat or (points is None and (numbers == 0).any()):
        numbers += 1
        notes = (f"{path} counts frames from 0",)
    landmarks = None if points is None else _read_landmarks(table, rows, points, required=not is_py_feat)
    if landmarks is not None:
        spread = np.ptp(landmarks, axis=1).any(axis=1)
        table.check(rows, frame, spread, "a frame whose landmarks are all equal")
    if landmarks is None or is_py_feat:
        boxes = _read_boxes(table, rows, box, is_corners=form is CORNERS)
    else:
        boxes = box_of_landmarks(landmarks)
    scores = np.full(len(rows), np.nan)
    if (score := table.find(SCORE)) is not None:
        scores = table.numbers(score, rows)
    ids = table.ids(rows, numbers)
    return FaceRows(
        numbers,
        boxes.astype(np.float32),
        scores.astype(np.float32),
        table.lines[rows],
        None if landmarks is None else landmarks.astype(np.float32),
        ids,
        notes,
    )


def box_of_landmarks(landmarks: np.ndarray) -> np.ndarray:
    """Estimate the boxes that a detector would give to faces with five landmarks.

    Parameters
    ----------
    landmarks : ndarray of float, shape (N, 5, 2)

    Returns
    -------
    ndarray of float, shape (N, 4)
        x, y, width and height: `LANDMARK_BOX`, relative to the center of the landmarks, in units of their spread. The
        spread is the root mean square distance of the landmarks from their center.
    """
    centers = landmarks.mean(axis=1)
    spread = np.sqrt(((landmarks - centers[:, None]) ** 2).sum(axis=2).mean(axis=1))[:, None]
    offset, size = np.array(LANDMARK_BOX[:2]), np.array(LANDMARK_BOX[2:])
    return np.concatenate([centers + offset * spread - size * spread / 2, size * spread], axis=1)


def _read_boxes(table: FacesTable, rows: np.ndarray, columns: list[int], is_corners: bool) -> np.ndarray:
    """Read the boxes as x, y, width and height; if `is_corners`, the columns are left, top, right and bottom."""
    boxes = np.stack([table.finite(column, rows) for column in columns], axis=1)
    for column, values in zip(columns, boxes.T):
        table.check(rows, column, np.abs(values) <= MAX_PIXELS, "not a position in a frame")
    limits = ["0", "0"]
    if is_corners:
        boxes[:, 2:] -= boxes[:, :2]
        limits = [table.names[column] for column in columns[:2]]
    for column, sides, limit in zip(columns[2:], boxes[:, 2:].T, limits):
        table.check(rows, column, sides > 0, f"not above {limit}")
    return boxes


def _read_landmarks(table: FacesTable, rows: np.ndarray, points: list[int], required: bool) -> np.ndarray | None:
    """Read the five landmarks of each face; None if they are not `required` and no face has all of them."""
    values = table.points(points, rows, required)
    for column, positions in zip(points, values.reshape(len(rows), -1).T):
        table.check(rows, column, ~(np.abs(positions) > MAX_PIXELS), "not a position in a frame")
    landmarks = _five_landmarks(values)
    complete = np.isfinite(landmarks).all(axis=(1, 2))
    if not complete.any():
        return None
    table.check(rows, points[0], complete, "of a face without all landmarks, but other faces have them")
    return landmarks


def _five_landmarks(points: np.ndarray) -> np.ndarray:
    """Reduce the 68 points of each face to the five landmarks that detectors give."""
    eyes = [points[:, start:stop].mean(axis=1) for start, stop in EYES]
    return np.stack([*eyes, points[:, NOSE], *(points[:, corner] for corner in MOUTH)], axis=1)
