"""Formats of the ABAW annotation files: headers, columns and valid values (Kollias 2022, arXiv 2202.10659)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.text_encoding import WINDOWS, read_decoded
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.errors import InputError

IMAGE_PATTERN = re.compile(r"^[ \t]*([^,\n]+)/(\d{1,9})\.\w+[ \t]*(?=,|$)", re.MULTILINE)

MTL_HEADERS = (("image", *AFFECTS, "expression", "aus"), ("image", *AFFECTS, "expression", *ACTION_UNITS))

MTL_COLUMNS = MTL_HEADERS[1]


MISSING_WORDS = (
    *("", "nan", "-nan", "na", "n/a", "<na>", "#n/a", "#n/a n/a", "#na", "none", "null", "-"),
    *("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan"),
)
"""Cells that mean a missing value, in lower case: the defaults of `pandas.read_csv`, and a hyphen."""


BOOLEAN_WORDS = {"true": "1", "false": "0"}
"""Numbers for the words that pandas writes in columns of booleans, in lower case."""


@dataclass(frozen=True)
class Rule:
    """Valid values of a column.

    Attributes
    ----------
    number : {int, float}
        Type of the values. Integers may also be written as `1.0` or `1e0`.
    ok : callable
        Returns whether a number is valid; for an array, whether each element is.
    says : str
        Description of the valid values for messages.
    missing : float, optional
        Value of a cell that is one of `MISSING_WORDS`. Default: such a cell is malformed.
    strict : bool, default False
        Whether integers must be written as integers.
    boolean : bool, default False
        Whether `True` and `False` are valid and mean 1 and 0.
    """

    number: type
    ok: Callable[[Any], Any]
    says: str
    missing: float | None = None
    strict: bool = False
    boolean: bool = False

    @property
    def dtypes(self) -> tuple[type, ...]:
        """NumPy types that the cells of a valid column can be parsed as, the fastest first."""
        if self.number is float:
            return (np.float64,)
        return (np.int64,) if self.strict else (np.int64, np.float64)

    def fault(self, column: str, cell: str) -> str | None:
        """Return what is wrong with one cell, or None."""
        cell = cell.strip()
        if cell.lower() in MISSING_WORDS and self.missing is not None:
            return None
        if self.boolean and cell.lower() in BOOLEAN_WORDS:
            return None
        try:
            value = (int if self.dtypes[-1] is np.int64 else float)(cell) if "_" not in cell else None
        except ValueError:
            value = None
        if value is None:
            kind = "an integer" if self.number is int else "a number"
            return f"{column} is '{shorten(cell)}', not {kind}; write {self.says}"
        return None if self._accepts(np.asarray(value)) else f"{column} is {shorten(cell)}; it must be {self.says}"

    def parse(self, cells: np.ndarray) -> np.ndarray | None:
        """Parse cells.

        Parameters
        ----------
        cells : str array

        Returns
        -------
        array of the same shape or None
            int64 or float64; None if any cell is malformed, see `fault`.
        """
        values = self._convert(cells)
        if values is None and self.missing is not None:
            cells = np.char.strip(cells)
            words = np.char.lower(cells)
            numbers = np.where(np.isin(words, MISSING_WORDS), str(self.missing), cells)
            for word, number in BOOLEAN_WORDS.items() if self.boolean else ():
                numbers = np.where(words == word, number, numbers)
            values = self._convert(numbers)
        if values is None or (np.char.find(cells, "_") >= 0).any():  # numpy reads 1_0 as 10
            return None
        return values

    def _convert(self, cells: np.ndarray) -> np.ndarray | None:
        try:
            return self.validate(cells.astype(self.dtypes[-1]))
        except (ValueError, OverflowError):
            return None

    def validate(self, values: np.ndarray) -> np.ndarray | None:
        """Return numbers as int64 or float64, or None if any breaks the rule."""
        if not self._accepts(values).all():
            return None
        return values.astype(np.int64 if self.number is int else np.float64)

    def _accepts(self, values: np.ndarray) -> np.ndarray:
        whole = values == np.floor(values) if self.number is int else True
        return self.ok(values) & whole


def shorten(text: str, length: int = 60) -> str:
    """Return the beginning of a text for a message."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


AFFECT_RULE = Rule(float, lambda v: ((v >= -1) & (v <= 1)) | (v == -5), "a number from -1 to 1, or -5 for no label", -5)

EXPRESSION_RULE = Rule(
    int,
    lambda v: (v >= -1) & (v < len(EXPRESSIONS)),
    f"a class from 0 to {len(EXPRESSIONS) - 1}, or -1 for no label",
    -1,
)

ACTION_UNIT_RULE = Rule(int, lambda v: (v >= -1) & (v <= 1), "0, 1, or -1 for no label", -1, boolean=True)


@dataclass(frozen=True)
class AnnotationFormat:
    """Format of an annotation file of one video: a header, then one line per frame.

    Attributes
    ----------
    task : str
    header : tuple of str
        Cells of the header.
    names : tuple of str
        Names of the columns for messages.
    rule : Rule
        Valid values of all columns.
    dtype : type
        NumPy type of the labels.
    """

    task: str
    header: tuple[str, ...]
    names: tuple[str, ...]
    rule: Rule
    dtype: type


FORMATS = {
    "va": AnnotationFormat("va", AFFECTS, AFFECTS, AFFECT_RULE, np.float32),
    "expr": AnnotationFormat("expr", EXPRESSIONS, ("expression",), EXPRESSION_RULE, np.int64),
    "au": AnnotationFormat("au", ACTION_UNITS, ACTION_UNITS, ACTION_UNIT_RULE, np.int8),
}


def read_text(path: Path) -> str:
    """Read a text file in UTF-8, or in UTF-16 with a byte-order mark; raise InputError if it cannot be read."""
    text, encoding, note = read_decoded(path, "the annotation file")
    if encoding == WINDOWS:
        raise InputError(f"{path}: {note.partition(';')[0]}; save it as UTF-8, or replace it with the annotation file")
    return text


def split_cells(line: str) -> tuple[str, ...]:
    """Split a line at commas and strip the cells."""
    return tuple(cell.strip() for cell in line.split(","))
