"""Find and parse the columns of a CSV file of faces.

Column names may be in upper or lower case. Errors name the file and the line.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from harness.data.csv_rows import read_rows
from harness.utils.errors import InputError

PY_FEAT = (("FaceRectX",), ("FaceRectY",), ("FaceRectWidth",), ("FaceRectHeight",))
"""Columns of a box in files by py-feat."""
BOX = (("x", "xmin", "left"), ("y", "ymin", "top"), ("width", "w"), ("height", "h"))
"""Columns of a box, each with its alternative names."""
CORNERS = (("x1", "xmin", "left"), ("y1", "ymin", "top"), ("x2", "xmax", "right"), ("y2", "ymax", "bottom"))
"""Columns of the left, top, right and bottom edge of a box, each with its alternative names."""
FRAME = ("frame", "frame_number")
FACE_ID = ("face_id", "face", "track_id", "track", "person", "id")
SCORE = ("FaceScore", "confidence", "score", "detection")
FOUND = ("success", "found")
"""Columns that are 0 in rows without a face."""
POINTS = 68
FORMS = (
    "frame with FaceRectX, FaceRectY, FaceRectWidth, FaceRectHeight (py-feat); frame with x_0 to x_67 and y_0 to y_67 "
    "(OpenFace); or frame with x, y, width, height or x1, y1, x2, y2, and optionally face_id and score"
)


def _squash(name: str) -> str:
    """Return the letters and digits of a column name in lower case."""
    return re.sub(r"[\W_]+", "", name).lower()


_SQUASHED = frozenset(
    map(_squash, (*FRAME, *FACE_ID, *SCORE, *FOUND, "x_0", "y_0", *chain.from_iterable((*PY_FEAT, *BOX, *CORNERS))))
)


class FacesTable:
    """Cells of a CSV file of faces.

    Parameters
    ----------
    path : Path

    Attributes
    ----------
    lines : ndarray of int64
        Line number of each row.

    Raises
    ------
    InputError
        If the file cannot be read, or a row has too many or too few cells.
    """

    def __init__(self, path: Path) -> None:
        source = read_rows(path, lambda cell: _squash(cell) in _SQUASHED)
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
        """Return the position of the column with the first of several names that the file has; None if it has none.

        Names that match exactly are preferred to those that match if case and punctuation are ignored.
        """
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
        """Return the positions of the columns x_0, y_0, x_1, ..., or None if there are none.

        Columns X_0, Y_0 and Z_0 have the three-dimensional points of OpenFace, which are not used.
        """
        if "x_0" not in self._exact and (self.find(("x_0",)) is None or self.find(("z_0",)) is not None):
            return None
        return [self.require((f"{axis}_{number}",)) for number in range(POINTS) for axis in "xy"]

    def box_form(self) -> tuple[tuple[str, ...], ...]:
        """Return the columns that define the boxes: `PY_FEAT`, `BOX` or `CORNERS`.

        `PY_FEAT` is returned if the file has all of its columns, otherwise whichever of `BOX` and `CORNERS` has more of
        its columns in the file. If both are complete, `BOX` is returned only if there is a column x: without it, width
        and height may be those of the frame. `CORNERS` is not returned if there is a column x_0: the columns x_1, y_1,
        x_2 and y_2 are points then.
        """
        sizes, corners, py_feat = (
            sum(self.find(names) is not None for names in form) for form in (BOX, CORNERS, PY_FEAT)
        )
        if py_feat == len(PY_FEAT):
            return PY_FEAT
        has_edges = corners > sizes or (corners == sizes == len(BOX) and self.find(("x",)) is None)
        return CORNERS if has_edges and self.find(("x_0",)) is None else BOX

    def rows_with_face(self, columns: Sequence[int]) -> np.ndarray:
        """Return the rows with a face; others have 0 in a column of `FOUND`, or no value in any of `columns`."""
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
        """Parse the numbers in a column as float64; empty cells become NaN."""
        cells = [self.cells[row][column].strip() or "nan" for row in rows.tolist()]
        try:
            numbers = np.array(cells, np.float64) if cells else np.zeros(0)
            sound = not any("_" in cell for cell in cells)  # Python reads 1_0 as 10
        except ValueError:
            sound = False
        if not sound:
            self.check(rows, column, np.array([_is_number(cell) for cell in cells]), "not a number")
        return numbers

    def finite(self, column: int, rows: np.ndarray) -> np.ndarray:
        """Parse the numbers in a column, all of which must be finite."""
        values = self.numbers(column, rows)
        self.check(rows, column, np.isfinite(values), "not a number")
        return values

    def points(self, columns: Sequence[int], rows: np.ndarray, required: bool) -> np.ndarray:
        """Parse the 68 points of each row from the columns of `find_points`.

        Empty cells raise InputError if the points are `required`; otherwise they become NaN.
        """
        parse = self.finite if required else self.numbers
        return np.stack([parse(column, rows) for column in columns], axis=1).reshape(-1, POINTS, 2)

    def ids(self, rows: np.ndarray, frames: np.ndarray) -> np.ndarray | None:
        """Convert the ids of faces to numbers from 1; raise InputError if an id occurs twice in a frame."""
        column = self.find(FACE_ID)
        if column is None:
            return None
        cells = [self.cells[row][column].strip() for row in rows.tolist()]
        self.check(rows, column, np.array([cell != "" for cell in cells]), "not the id of a face")
        order = sorted(set(cells), key=_id_key)
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


def _id_key(cell: str) -> tuple[int, float, str]:
    """Order numbers by value and before other ids; equal ones by their text."""
    is_number = _is_number(cell) and not math.isnan(float(cell))
    return (0, float(cell), cell) if is_number else (1, 0.0, cell)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return "_" not in cell
