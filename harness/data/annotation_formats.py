"""Formats of the ABAW annotation files: headers, columns and valid values (Kollias 2022, arXiv 2202.10659)."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backbones.regular_files import read_regular_text
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.errors import InputError

IMAGE_PATTERN = re.compile(r"^[ \t]*([^,\n]+)/(\d{1,9})\.\w+[ \t]*(?=,|$)", re.MULTILINE)

MTL_HEADERS = (("image", *AFFECTS, "expression", "aus"), ("image", *AFFECTS, "expression", *ACTION_UNITS))

MTL_COLUMNS = MTL_HEADERS[1]


@dataclass(frozen=True)
class Rule:
    """Valid values of a column.

    Attributes
    ----------
    number : callable
        Converts the text of a cell, `int` or `float`.
    ok : callable
        Returns whether numbers are valid, element-wise for arrays and for a single number.
    says : str
        Description of the valid values for messages.
    """

    number: Callable[[str], float]
    ok: Callable[[Any], Any]
    says: str

    def fault(self, column: str, cell: str) -> str | None:
        """Return what is wrong with one cell, or None."""
        try:
            value = self.number(cell) if "_" not in cell else None
        except ValueError:
            value = None
        if value is None:
            kind = "an integer" if self.number is int else "a number"
            return f"{column} is '{cell.strip()}', not {kind}; write {self.says}"
        return None if self.ok(np.asarray(value)) else f"{column} is {cell.strip()}; it must be {self.says}"


AFFECT_RULE = Rule(float, lambda v: ((v >= -1) & (v <= 1)) | (v == -5), "a number from -1 to 1, or -5 for no label")

EXPRESSION_RULE = Rule(
    int, lambda v: (v >= -1) & (v < len(EXPRESSIONS)), f"a class from 0 to {len(EXPRESSIONS) - 1}, or -1 for no label"
)

ACTION_UNIT_RULE = Rule(int, lambda v: (v >= -1) & (v <= 1), "0, 1, or -1 for no label")


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
    """Read a UTF-8 text file without its byte-order mark; raise InputError if it cannot be read."""
    try:
        return read_regular_text(path, "utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: not a text file ({error.reason} at byte {error.start}); replace it with the annotation file"
        ) from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error


def split_cells(line: str) -> tuple[str, ...]:
    """Split a line at commas and strip the cells."""
    return tuple(cell.strip() for cell in line.split(","))
