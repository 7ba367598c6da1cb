"""Read the CSV file of an image or frame table: its columns as text, with line numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path

import numpy as np

from harness.data.annotation_formats import MISSING_WORDS
from harness.data.csv_rows import CsvRows, read_rows
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.table_columns import LABEL_COLUMNS, POSITION_COLUMNS, ColumnNames, find_columns, standard_name
from harness.utils.errors import InputError

DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:e[+-]?\d+)?", re.IGNORECASE)
_CLEANED = frozenset((*LABEL_COLUMNS, *POSITION_COLUMNS))
MAX_CELL = 4096
"""Maximum number of characters of a cell: the length of the longest path on Linux."""
MAX_VALUE = 64
"""Maximum number of characters of a label, number or split. Arrays of text reserve as much memory for each cell as for
the longest one."""
_NAME_COLUMNS = frozenset(("image", "video", "subject"))
_QUOTES = "'\""
_EMPTY_QUOTES = ("''", '""')


@dataclass(frozen=True)
class Table:
    """Columns of a CSV file.

    Attributes
    ----------
    path : Path
    columns : mapping of str to str array of shape (N,)
        Stripped cells by column name.
    lines : int64 array of shape (N,)
        Line number of each row.
    faults : tuple of Problem
        Errors of rows that were skipped.
    warnings : tuple of Problem
        Warnings about the assumed encoding and about columns that are not read.
    form : str
        Separator, encoding and decimal sign. The defaults (comma, UTF-8, point) are left out.
    names : str
        Text that lists the columns that are read and those that are not, as the file spells them.
    header_line : int
    """

    path: Path
    columns: Mapping[str, np.ndarray]
    lines: np.ndarray
    faults: tuple[Problem, ...]
    warnings: tuple[Problem, ...] = ()
    form: str = ""
    names: str = ""
    header_line: int = 1

    def __len__(self) -> int:
        return len(self.lines)

    def nonempty_rows(self, *names: str) -> np.ndarray:
        """Return a bool mask (N,) of the rows with a non-empty cell in any of the columns; absent columns are empty."""
        filled = [self.columns[name] != "" for name in names if name in self.columns]
        return np.any(filled, axis=0) if filled else np.zeros(len(self), bool)


def read_table(
    path: Path,
    is_column: Callable[[str], object] = standard_name,
    find: Callable[[Path, int, Sequence[str]], ColumnNames] = find_columns,
) -> Table:
    """Read the CSV file of a table; by default of an image table.

    Missing labels (see `MISSING_WORDS`) become empty cells, and decimal commas become points.

    Parameters
    ----------
    path : Path
    is_column : callable, optional
        Returns whether a cell of the header is the name of a known column.
    find : callable, optional
        Finds the columns from the path, the line of the header and its names; see `find_columns`.

    Raises
    ------
    InputError
        If the file cannot be read or has no rows, or if its header is invalid; see `find_columns`.
    """
    source = read_rows(path, is_column)
    names = find(path, source.header_line, source.header)
    if not source.rows and not source.faults:
        raise InputError(f"{path}:{source.header_line}: no row follows the header; write one row for each image")
    rows, lines, faults = _reject_long_cells(path, source, names)
    columns, decimal_commas = {}, False
    for name, position in names.positions.items():
        cells = [row[position] for row in rows]
        cleaned = {cell: clean_cell(cell, name) for cell in set(cells)}
        columns[name] = np.array([cleaned[cell] for cell in cells], dtype=np.str_)
        decimal_commas |= any("," in cell and "," not in clean for cell, clean in cleaned.items())
    form = (*source.form, *(["decimal commas"] if decimal_commas else []))
    warnings = source.warnings + tuple(
        Problem(WARNING, "columns", note, path, source.header_line) for note in names.notes()
    )
    return Table(path, columns, lines, faults, warnings, ", ".join(form), names.summary(), source.header_line)


def _reject_long_cells(
    path: Path, source: CsvRows, names: ColumnNames
) -> tuple[list[list[str]], np.ndarray, tuple[Problem, ...]]:
    """Return the rows whose cells are not too long, their lines, and the problems of all other rows."""
    positions = names.positions.values()
    longest = [max(map(len, row)) for row in source.rows]
    for number, size in enumerate(longest):
        if size > MAX_CELL:  # perhaps in a column that is not read
            longest[number] = max(len(source.rows[number][position]) for position in positions)
    sound = [size <= MAX_CELL for size in longest]
    faults = tuple(
        Problem(ERROR, "row", f"a cell has {size:,} characters; at most {MAX_CELL:,} are read", path, line)
        for size, line in zip(longest, source.lines)
        if size > MAX_CELL
    )
    lines = np.array(source.lines, dtype=np.int64)[np.array(sound, dtype=bool)]
    return list(compress(source.rows, sound)), lines, source.faults + faults


def clean_cell(cell: str, column: str) -> str:
    """Strip a cell. In columns of labels and numbers, also replace missing values by '' and decimal commas by points.

    Quotes that the CSV reader left in the cell, such as quotes after a blank, are removed. In columns of names, they
    are removed only if there is nothing between them.
    Cells of more than `MAX_VALUE` characters are cut, and end in an ellipsis, which makes them malformed.
    """
    cell = cell.strip()
    if column in _NAME_COLUMNS:
        return "" if cell in _EMPTY_QUOTES else cell
    if len(cell) > 1 and cell[0] == cell[-1] and cell[0] in _QUOTES:
        cell = cell[1:-1].strip()
    if len(cell) > MAX_VALUE:
        return f"{cell[:MAX_VALUE]}\u2026"
    if column not in _CLEANED:
        return cell
    if cell.lower() in MISSING_WORDS:
        return ""
    return cell.replace(",", ".") if column != "expression" and DECIMAL_COMMA.fullmatch(cell) else cell
