"""Reader of CSV lists with millions of rows, which keeps only the requested columns in memory."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.regular_files import open_regular
from harness.data.csv_rows import find_separator
from harness.data.csv_table import Table
from harness.data.problems import ERROR, Problem
from harness.data.text_encoding import HEAD_BYTES, encoding_of
from harness.utils.errors import InputError

if TYPE_CHECKING:
    import _csv

BLOCK_ROWS = 8192
MAX_HEADER = 1 << 20
"""Maximum number of characters of the first line."""


def read_csv_columns(path: Path, columns: tuple[str, ...], header: tuple[str, ...] = ()) -> Table:
    """Read columns of a CSV list.

    Parameters
    ----------
    path : Path
    columns : tuple of str
        Names of the columns to read.
    header : tuple of str, optional
        Names of all columns, for lists that may have no header line.

    Returns
    -------
    Table

    Raises
    ------
    InputError
        If the file cannot be read, has no rows or lacks one of the columns.
    """
    faults: list[Problem] = []
    lines, blocks = [np.zeros(0, np.int64)], [tuple(np.zeros(0, np.str_) for _ in columns)]
    try:
        with open_regular(path) as binary:
            file = io.TextIOWrapper(binary, encoding_of(binary.peek(HEAD_BYTES)), newline="")
            for numbers, cells in _read_blocks(path, _open_reader(file, columns), columns, header, faults):
                lines.append(np.array(numbers, np.int64))
                blocks.append(tuple(np.char.strip(np.array(column, np.str_)) for column in cells))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file in UTF-8 ({error.reason}); replace it with the CSV list") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    table = Table(
        path,
        {name: np.concatenate(column) for name, column in zip(columns, zip(*blocks))},
        np.concatenate(lines),
        tuple(faults),
    )
    if not len(table) and not faults:
        raise InputError(f"{path}:1: no row follows the header; write one row for each image")
    return table


def _open_reader(file: io.TextIOWrapper, columns: tuple[str, ...]) -> _csv.Reader:
    """Return a reader for the separator of the first line, or for commas if that line names none of the columns."""
    first = file.readline(MAX_HEADER)
    known = {name.casefold() for name in columns}
    separator = find_separator(first, lambda name: name.strip().casefold() in known)
    has_header = any(name.strip().casefold() in known for name in first.split(separator))
    return csv.reader(chain([first], file), delimiter=separator if has_header else ",")


def _read_blocks(
    path: Path, reader: _csv.Reader, columns: tuple[str, ...], header: tuple[str, ...], faults: list[Problem]
) -> Iterator[tuple[list[int], tuple[tuple[str, ...], ...]]]:
    """Yield the line numbers and the requested columns of each block of rows.

    A problem is appended to `faults` for each row that has more or fewer columns than the header.
    """
    try:
        first = [cell.strip() for cell in next(reader, [])]
        known = {name.casefold() for name in header}
        headerless = bool(header) and len(first) == len(header) and not known.intersection(map(str.casefold, first))
        names = list(header) if headerless else first
        positions = _column_positions(path, names, columns)
        rows = chain([first], reader) if headerless else reader
        while block := [(reader.line_num, row) for row in islice(rows, BLOCK_ROWS)]:
            complete = [(line, row) for line, row in block if len(row) == len(names)]
            faults += [
                Problem(ERROR, "row", f"{len(row)} columns, but {len(names)} are needed", path, line)
                for line, row in block
                if row and len(row) != len(names)
            ]
            if complete:
                yield (
                    [line for line, _ in complete],
                    tuple(tuple(row[position] for _, row in complete) for position in positions),
                )
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV row: {error}") from error


def _column_positions(path: Path, names: list[str], columns: tuple[str, ...]) -> list[int]:
    """Return the positions of the columns in `names`; case is ignored for a column that no name equals exactly."""
    positions = {name.casefold(): index for index, name in reversed([*enumerate(names)])}
    positions |= {name: index for index, name in reversed([*enumerate(names)])}
    if missing := [name for name in columns if name not in positions and name.casefold() not in positions]:
        available = f"; the columns are {', '.join(names)}"[:200] if any(names) else "; the file is empty"
        raise InputError(f"{path}:1: no column {' and no column '.join(missing)}{available}")
    return [positions[name] if name in positions else positions[name.casefold()] for name in columns]
