"""CSV file of an image table: its columns as text with line numbers, and the parsers of the cells."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.annotation_formats import ACTION_UNIT_RULE, AFFECT_RULE, Rule, read_text
from harness.data.problems import ERROR, Problem
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS
from harness.utils.errors import InputError

EXPRESSION_NAMES = {name.lower(): code for code, name in enumerate(EXPRESSIONS)} | {"contempt": len(EXPRESSIONS) - 1}
SPLIT_NAMES = {"train": "train", "validation": "validation", "val": "validation", "test": "test"}


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
        Rows that were skipped.
    """

    path: Path
    columns: Mapping[str, np.ndarray]
    lines: np.ndarray
    faults: tuple[Problem, ...]

    def __len__(self) -> int:
        return len(self.lines)

    def nonempty_rows(self, *names: str) -> np.ndarray:
        """Return a bool mask (N,) of the rows with a non-empty cell in any of the columns; absent columns are empty."""
        filled = [self.columns[name] != "" for name in names if name in self.columns]
        return np.any(filled, axis=0) if filled else np.zeros(len(self), bool)


def read_table(path: Path) -> Table:
    """Read the CSV file of an image table.

    Raises
    ------
    InputError
        If the file is empty, has no column `image`, or has neither `expression` nor `subject`.
    """
    header, rows, lines, faults = _read_rows(path)
    missing = [] if "image" in header else ["image"]
    if not {"expression", "subject"} & set(header):
        missing.append("expression or subject")
    if not any(header):
        raise InputError(f"{path}: the table is empty; its first line names the columns image,expression,...")
    if missing:
        raise InputError(f"{path}:1: no column {' and no column '.join(missing)}; the columns are {', '.join(header)}")
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise InputError(f"{path}:1: column {twice[0]} occurs twice; remove one")
    if not rows and not faults:
        raise InputError(f"{path}:1: no row follows the header; write one row for each image")
    cells = zip(*rows) if rows else [()] * len(header)
    columns = {name: np.char.strip(np.array(column, dtype=np.str_)) for name, column in zip(header, cells)}
    return Table(path, columns, np.array(lines, dtype=np.int64), tuple(faults))


def _read_rows(path: Path) -> tuple[list[str], list[list[str]], list[int], list[Problem]]:
    """Return the header, the rows as wide as the header, their last lines, and a problem for every other row."""
    reader = csv.reader(io.StringIO(read_text(path)))
    rows: list[list[str]] = []
    lines: list[int] = []
    faults: list[Problem] = []
    try:
        header = [name.strip() for name in next(reader, [])]
        for row in reader:
            if len(row) == len(header):
                rows.append(row)
                lines.append(reader.line_num)
            elif row:
                message = f"{len(row)} columns, but the header has {len(header)}"
                faults.append(Problem(ERROR, "row", message, path, reader.line_num))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV row: {error}") from error
    return header, rows, lines, faults


def parse_splits(table: Table) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Parse the column `split`.

    Returns
    -------
    splits : str array of shape (N,)
        `val` is parsed as `validation`; unknown names are '' and reported.
    faults : tuple of Problem
    """
    return _parse_codes(table, "split", np.arange(len(table)), SPLIT_NAMES, "", np.str_)


def parse_targets(table: Table, output: str, rows: np.ndarray) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Parse the labels of one output.

    Parameters
    ----------
    table : Table
    output : {"expr", "va", "au"}
    rows : int array
        Rows to parse.

    Returns
    -------
    targets : array
        Labels as in `Labels.targets`; empty and malformed cells have no label.
    faults : tuple of Problem
    """
    if output == "expr":
        return _parse_codes(table, "expression", rows, EXPRESSION_NAMES | {"": -1}, -1, np.int64)
    names, rule, dtype = (
        (AFFECTS, AFFECT_RULE, np.float32) if output == "va" else (ACTION_UNITS, ACTION_UNIT_RULE, np.int8)
    )
    missing = -5 if output == "va" else -1
    columns = [parse_numbers(table, name, rows, rule, missing) for name in names]
    targets = np.stack([values for values, _ in columns], axis=1).astype(dtype)
    return targets, tuple(fault for _, faults in columns for fault in faults)


def _parse_codes(
    table: Table, column: str, rows: np.ndarray, codes: Mapping[str, Any], missing: object, dtype: type
) -> tuple[np.ndarray, tuple[Problem, ...]]:
    names, index = np.unique(np.char.lower(table.columns[column][rows]), return_inverse=True)
    valid = np.array([name in codes for name in names.tolist()], dtype=bool)
    values: np.ndarray = np.array([codes.get(name, missing) for name in names.tolist()], dtype=dtype)
    faulty_rows = rows[~valid[index]] if len(rows) else rows
    faults = tuple(
        Problem(
            ERROR,
            column,
            _unknown_value_message(column, str(table.columns[column][row]), codes),
            table.path,
            int(table.lines[row]),
        )
        for row in faulty_rows
    )
    return values[index] if len(rows) else np.zeros(0, dtype), faults


def _unknown_value_message(column: str, cell: str, codes: Mapping[str, Any]) -> str:
    names = [name for name in codes if name]
    if not cell:
        return f"no {column}; write {', '.join(names)}"
    near = difflib.get_close_matches(cell.lower(), names, n=1, cutoff=0.5)
    return f"unknown {column} '{cell}'; " + (f"did you mean {near[0]}?" if near else f"available: {', '.join(names)}")


def parse_numbers(
    table: Table, column: str, rows: np.ndarray, rule: Rule, missing: float
) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Parse a column of numbers.

    Parameters
    ----------
    table : Table
    column : str
    rows : int array of shape (N,)
        Rows to parse.
    rule : Rule
        Valid values.
    missing : float
        Value of empty and malformed cells, and of all cells if there is no such column.

    Returns
    -------
    values : array of shape (N,)
    faults : tuple of Problem
    """
    if column not in table.columns:
        return np.full(len(rows), missing), ()
    cells = np.where(table.columns[column][rows] == "", str(missing), table.columns[column][rows])
    try:
        values = cells.astype(np.float64 if rule.number is float else np.int64)
        if rule.ok(values).all():
            return values, ()
    except (ValueError, OverflowError):
        pass
    messages = [rule.fault(column, cell) for cell in cells.tolist()]
    faults = tuple(
        Problem(ERROR, column, message, table.path, int(table.lines[row]))
        for row, message in zip(rows, messages)
        if message
    )
    values = np.array([missing if message else rule.number(cell) for cell, message in zip(cells.tolist(), messages)])
    return values, faults
