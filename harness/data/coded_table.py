"""Table with millions of rows: each column has its distinct cells and one integer for each row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.csv_table import MAX_CELL, Table, clean_cell
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.table_columns import ColumnNames

MAX_FAULTS = 100_000
"""Maximum number of malformed cells of a column that are located."""


@dataclass(frozen=True, eq=False)
class CodedColumn:
    """Cells of a column.

    Attributes
    ----------
    cells : object array of shape (K,)
        Cells as stripped text. A cell may occur twice, for example where `NaN` and an empty cell have the same meaning.
    codes : int array of shape (N,)
        Index of each row's cell in `cells`.
    """

    cells: np.ndarray
    codes: np.ndarray

    @property
    def filled(self) -> np.ndarray:
        """Bool mask (N,) of the rows whose cell is not empty."""
        return (self.cells != "")[self.codes]

    def __getitem__(self, row: int) -> str:
        return str(self.cells[self.codes[row]])

    def spread(self, values: np.ndarray) -> np.ndarray:
        """Return the value of each row; `values` are the values of the distinct cells."""
        return values[self.codes]


@dataclass(frozen=True, eq=False)
class CodedTable:
    """Columns of a CSV or parquet file with N rows.

    Attributes
    ----------
    path : Path
    columns : mapping of str to CodedColumn
        Columns by name.
    lines : int64 array of shape (N,)
        Line number of each row; in a parquet file, the number of the row.
    faults : tuple of Problem
        Errors of rows that were skipped.
    warnings : tuple of Problem
        Warnings about the assumed encoding and about columns that are not read.
    form : str
        Description of the file without the defaults; see `Table.form`.
    names : str
        Text that lists the columns that are read and those that are not, as the file spells them.
    header_line : int
    """

    path: Path
    columns: Mapping[str, CodedColumn]
    lines: np.ndarray
    faults: tuple[Problem, ...] = ()
    warnings: tuple[Problem, ...] = ()
    form: str = ""
    names: str = ""
    header_line: int = 1

    def __len__(self) -> int:
        return len(self.lines)

    def filled_rows(self, *names: str) -> np.ndarray:
        """Return a bool mask (N,) of the rows with a non-empty cell in any of the columns; absent columns are empty."""
        filled = np.zeros(len(self), bool)
        for name in names:
            if name in self.columns:
                filled |= self.columns[name].filled
        return filled

    def parse(
        self, column: str, kind: str, parse_cells: Callable[[np.ndarray], tuple[np.ndarray, list[str | None]]]
    ) -> tuple[np.ndarray, np.ndarray, tuple[Problem, ...]]:
        """Parse a column.

        Parameters
        ----------
        column : str
        kind : str
            `Problem.kind` of malformed cells.
        parse_cells : callable
            Takes the K distinct cells. Returns their values, and for each cell a message if it is malformed, else None.

        Returns
        -------
        values : array of shape (N,)
        sound : bool array of shape (N,)
            Whether the cell of each row is well-formed.
        faults : tuple of Problem
        """
        coded = self.columns[column]
        values, messages = parse_cells(np.array(coded.cells.tolist(), dtype=np.str_))
        malformed = np.array([message is not None for message in messages], dtype=bool)
        if not malformed.any():
            return coded.spread(values), np.ones(len(self), bool), ()
        wrong = coded.spread(malformed)
        rows = np.flatnonzero(wrong)[:MAX_FAULTS]
        faults = tuple(
            Problem(ERROR, kind, messages[code] or "", self.path, line)
            for code, line in zip(coded.codes[rows].tolist(), self.lines[rows].tolist())
        )
        return coded.spread(values), ~wrong, faults


def clean_column(column: CodedColumn, name: str) -> tuple[CodedColumn, bool]:
    """Return a column with clean cells, see `clean_cell`, and whether decimal commas became points."""
    cells = column.cells.tolist()
    clean = [clean_cell(cell, name) for cell in cells]
    commas = any("," in cell and "," not in other for cell, other in zip(cells, clean) if cell != other)
    return CodedColumn(_to_objects(clean), column.codes), commas


def has_long_cell(column: CodedColumn) -> bool:
    """Return whether a cell has more than `MAX_CELL` characters."""
    return max(map(len, column.cells.tolist()), default=0) > MAX_CELL


def from_text_table(table: Table) -> CodedTable:
    """Convert a table of text."""
    return CodedTable(
        table.path,
        dict(_encode_columns(table)),
        table.lines,
        table.faults,
        table.warnings,
        table.form,
        table.names,
        table.header_line,
    )


def _encode_columns(table: Table) -> Iterator[tuple[str, CodedColumn]]:
    for name, texts in table.columns.items():
        cells, codes = np.unique(texts, return_inverse=True)
        yield name, CodedColumn(_to_objects(cells.tolist()), codes.astype(np.int32))


def from_columns(
    path: Path, raw: Mapping[str, CodedColumn], lines: np.ndarray, names: ColumnNames, form: tuple[str, ...] = ()
) -> CodedTable:
    """Clean the cells of columns and return them as a table whose header is on line 1."""
    columns, commas = {}, False
    for name, column in raw.items():
        columns[name], decimal = clean_column(column, name)
        commas |= decimal
    parts = (*form, *(["decimal commas"] if commas else []))
    warnings = tuple(Problem(WARNING, "columns", note, path, 1) for note in names.notes())
    return CodedTable(path, columns, lines, (), warnings, ", ".join(parts), names.summary())


def _to_objects(cells: list[Any]) -> np.ndarray:
    objects = np.empty(len(cells), dtype=object)
    objects[:] = cells
    return objects
