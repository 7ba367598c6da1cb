"""Read a CSV file of faces by py-feat, OpenFace, MediaPipe or `framelight predict`: columns, frames and boxes."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.csv_rows import CsvRows, read_rows
from harness.utils.errors import InputError

PY_FEAT = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")
BOX = (("x", "xmin", "left"), ("y", "ymin", "top"), ("width", "w"), ("height", "h"))
"""Columns of a box, each with its other names."""
FRAME = ("frame", "frame_number")
FACE_ID = ("face_id", "face", "track_id", "track", "person", "id")
SCORE = ("FaceScore", "confidence", "score", "detection")
FOUND = ("success", "found")
"""Columns that are 0 in rows without a face."""
POINTS = 68
EYES, NOSE, MOUTH = ((36, 42), (42, 48)), 30, (48, 54)
"""Among the 68 points of OpenFace: those of the person's right and left eye, the nose tip, the corners of the mouth."""
LANDMARK_BOX = (0.0, -0.31, 3.26, 4.62)
"""Box of a detector relative to the five landmarks of the face, see `box_of_landmarks`: offset of its center to the
right and down, width and height.

Medians of the boxes and landmarks of the detector `yunet` in eight clips of real faces; the offset to the right is 0 by
symmetry."""
FORMS = (
    "frame with FaceRectX, FaceRectY, FaceRectWidth, FaceRectHeight (py-feat); frame with x_0 to x_67 and y_0 to y_67 "
    "(OpenFace); or frame with x, y, width, height and optionally face_id and score"
)


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
    landmarks : ndarray of float32, shape (N, 5, 2), or None
        See `harness.video.faces.boxes.Faces`.
    ids : ndarray of int64, shape (N,), or None
        Ids from 1.
    notes : tuple of str
    """

    frames: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    lines: np.ndarray
    landmarks: np.ndarray | None = None
    ids: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def arrays(self) -> tuple[Any, ...]:
        """Return all fields except the notes."""
        return self.frames, self.boxes, self.scores, self.lines, self.landmarks, self.ids


def read_face_rows(path: Path) -> FaceRows:
    """Read the faces of a CSV file.

    Frames of py-feat are counted from 0, those of OpenFace from 1. Other files are counted from 0 if they have a frame
    0, else from 1. Rows with an empty box, or with 0 in `success` or `found`, are frames without a face.

    Raises
    ------
    InputError
        If the file cannot be read, lacks a column, or has an invalid row; the message names its line.
    """
    table = _Table(path, read_rows(path, lambda cell: _squash(cell) in _SQUASHED))
    frame = table.require(FRAME)
    frames = table.numbers(frame, np.arange(len(table)))
    is_py_feat = all(table.find((name,)) is not None for name in PY_FEAT)
    points = table.find_points()
    rows = table.rows_with_face(PY_FEAT if is_py_feat else (), points)
    if not len(rows):
        raise InputError(f"{path}: no row has a face; give a file with the boxes of at least one frame")
    table.check(rows, frame, (frames[rows] >= 0) & (frames[rows] % 1 == 0), "not the number of a frame")
    numbers = frames[rows].astype(np.int64)
    notes: tuple[str, ...] = ()
    if is_py_feat or (points is None and (numbers == 0).any()):
        numbers += 1
        notes = (f"{path} counts frames from 0",)
    landmarks = None if points is None else _five_landmarks(table.points(points, rows, required=not is_py_feat))
    if landmarks is not None and not np.isfinite(landmarks).all():
        landmarks = None
    if landmarks is None or is_py_feat:
        names = [(name,) for name in PY_FEAT] if is_py_feat else BOX
        columns = [table.require(name) for name in names]
        boxes = np.stack([table.finite(column, rows) for column in columns], axis=1)
        for column, sides in zip(columns[2:], boxes[:, 2:].T):
            table.check(rows, column, sides > 0, "not above 0")
    else:
        boxes = box_of_landmarks(landmarks)
        table.check(rows, frame, (boxes[:, 2:] > 0).all(axis=1), "a frame whose landmarks are all equal")
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
        x, y, width and height: `LANDMARK_BOX` times the root of the mean squared distance of the landmarks from their
        center, around that center.
    """
    centers = landmarks.mean(axis=1)
    spread = np.sqrt(((landmarks - centers[:, None]) ** 2).sum(axis=2).mean(axis=1))[:, None]
    offset, size = np.array(LANDMARK_BOX[:2]), np.array(LANDMARK_BOX[2:])
    return np.concatenate([centers + offset * spread - size * spread / 2, size * spread], axis=1)


def _five_landmarks(points: np.ndarray) -> np.ndarray:
    """Reduce 68 points [N, 68, 2] to the five landmarks [N, 5, 2] that detectors give."""
    eyes = [points[:, start:stop].mean(axis=1) for start, stop in EYES]
    return np.stack([*eyes, points[:, NOSE], *(points[:, corner] for corner in MOUTH)], axis=1)


def _squash(name: str) -> str:
    """Return the letters and digits of a column name in lower case."""
    return re.sub(r"[\W_]+", "", name).lower()


_SQUASHED = frozenset(
    map(_squash, (*PY_FEAT, *FRAME, *FACE_ID, *SCORE, *FOUND, "x_0", "y_0", *(name for names in BOX for name in names)))
)


class _Table:
    """Columns of the file, found by name in any case; all errors name the file and the line."""

    def __init__(self, path: Path, source: CsvRows) -> None:
        self.path, self.header_line = path, source.header_line
        if source.faults:
            raise source.faults[0].to_exception()
        self.names = [cell.strip() for cell in source.header]
        self.cells = source.rows
        self.lines = np.array(source.lines, np.int64)
        self._exact = {name: position for position, name in reversed([*enumerate(self.names)])}
        self._squashed = {_squash(name): position for position, name in reversed([*enumerate(self.names)])}

    def __len__(self) -> int:
        return len(self.cells)

    def find(self, names: Sequence[str]) -> int | None:
        """Return the position of the first of several columns; the case decides only between columns of the file."""
        for columns, key in ((self._exact, str), (self._squashed, _squash)):
            for name in names:
                if (position := columns.get(key(name))) is not None:
                    return position
        return None

    def require(self, names: Sequence[str]) -> int:
        """Return the position of a column; raise InputError if it is missing."""
        position = self.find(names)
        if position is None:
            raise InputError(f"{self.path}:{self.header_line}: no column {names[0]}; known forms: {FORMS}")
        return position

    def find_points(self) -> list[int] | None:
        """Return the positions of x_0, y_0, x_1, ..., or None; X_0 with Z_0 are the points of OpenFace in space."""
        if "x_0" not in self._exact and (self.find(("x_0",)) is None or self.find(("z_0",)) is not None):
            return None
        return [self.require((f"{axis}_{number}",)) for number in range(POINTS) for axis in "xy"]

    def rows_with_face(self, box: Sequence[str], points: Sequence[int] | None) -> np.ndarray:
        """Return the rows that have a face; a box is empty if all of its cells are."""
        columns = [self.require((name,)) for name in box] or points or [self.require(names) for names in BOX]
        found = self.find(FOUND)
        empty = {"", "nan", "none", "null"}
        return np.array(
            [
                row
                for row, cells in enumerate(self.cells)
                if not all(cells[column].strip().lower() in empty for column in columns)
                and (found is None or cells[found].strip() not in ("0", "0.0"))
            ],
            np.int64,
        )

    def numbers(self, column: int, rows: np.ndarray) -> np.ndarray:
        """Parse a column, float64 [rows]; empty cells become NaN."""
        cells = [self.cells[row][column].strip() or "nan" for row in rows.tolist()]
        try:
            return np.array(cells, np.float64) if cells else np.zeros(0)
        except ValueError:
            valid = np.array([_is_number(cell) for cell in cells])
            self.check(rows, column, valid, "not a number")
            raise

    def finite(self, column: int, rows: np.ndarray) -> np.ndarray:
        """Parse a column of which no cell may be empty."""
        values = self.numbers(column, rows)
        self.check(rows, column, np.isfinite(values), "not a number")
        return values

    def points(self, columns: Sequence[int], rows: np.ndarray, required: bool) -> np.ndarray:
        """Parse the columns of `find_points`, float64 [rows, 68, 2]; if not `required`, empty cells become NaN."""
        parse = self.finite if required else self.numbers
        return np.stack([parse(column, rows) for column in columns], axis=1).reshape(-1, POINTS, 2)

    def ids(self, rows: np.ndarray, frames: np.ndarray) -> np.ndarray | None:
        """Convert the ids of faces to numbers from 1; raise InputError if an id is twice in a frame."""
        column = self.find(FACE_ID)
        if column is None:
            return None
        cells = [self.cells[row][column].strip() for row in rows.tolist()]
        self.check(rows, column, np.array([cell != "" for cell in cells]), "not the id of a face")
        order = sorted(set(cells), key=lambda cell: (0, float(cell), "") if _is_number(cell) else (1, 0.0, cell))
        numbers = {cell: number for number, cell in enumerate(order, 1)}
        ids = np.array([numbers[cell] for cell in cells], np.int64)
        _, first = np.unique(np.stack([frames, ids]), axis=1, return_index=True)
        self.check(rows, column, np.isin(np.arange(len(rows)), first), "the id of two faces in this frame")
        return ids

    def check(self, rows: np.ndarray, column: int, valid: np.ndarray, fault: str) -> None:
        """Raise InputError for the first row that is not valid."""
        if not valid.all():
            row = int(rows[np.flatnonzero(~valid)[0]])
            cell = self.cells[row][column].strip()[:40]
            raise InputError(
                f"{self.path}:{self.lines[row]}: {self.names[column]} is '{cell}', {fault}; correct or remove this row"
            )


def _is_number(cell: str) -> bool:
    try:
        return math.isfinite(float(cell)) or cell == "nan"
    except ValueError:
        return False
