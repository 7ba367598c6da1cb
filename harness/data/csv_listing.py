"""Long CSV lists, read a block at a time: only the wanted columns of millions of rows are kept."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import numpy as np

from harness.data.csv_table import Table
from harness.data.problems import ERROR, Problem
from harness.utils.errors import InputError

BLOCK_ROWS = 8192


def read_csv_columns(path: Path, wanted: tuple[str, ...], header: tuple[str, ...] = ()) -> Table:
    """The wanted columns of a CSV list.

    header: the columns of a list that may come without a line that names them.
    Raises InputError when it cannot be read, has no row, or lacks one of the columns.
    """
    faults: list[Problem] = []
    lines, blocks = [np.zeros(0, np.int64)], [tuple(np.zeros(0, np.str_) for _ in wanted)]
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            for numbers, columns in _read_blocks(path, csv.reader(file), wanted, header, faults):
                lines.append(np.array(numbers, np.int64))
                blocks.append(tuple(np.char.strip(np.array(column, np.str_)) for column in columns))
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: not a text file ({error.reason}); put the list itself there") from error
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    found = Table(
        path,
        {name: np.concatenate(column) for name, column in zip(wanted, zip(*blocks))},
        np.concatenate(lines),
        tuple(faults),
    )
    if not len(found) and not faults:
        raise InputError(f"{path}:1: no row follows the header; each row is one image")
    return found


def _read_blocks(
    path: Path, reader: Iterator[list[str]], wanted: tuple[str, ...], header: tuple[str, ...], faults: list[Problem]
) -> Iterator[tuple[list[int], tuple[tuple[str, ...], ...]]]:
    """Line numbers and wanted columns of each block; rows of another width than the first become faults."""
    try:
        first = [cell.strip() for cell in next(reader, [])]
        bare = bool(header) and len(first) == len(header) and not set(first) & set(header)
        names = list(header) if bare else first
        places = _column_positions(path, names, wanted)
        rows = chain([first], reader) if bare else reader
        while block := [(reader.line_num, row) for row in islice(rows, BLOCK_ROWS)]:
            sound = [(line, row) for line, row in block if len(row) == len(names)]
            faults += [
                Problem(ERROR, "row", f"{len(row)} columns, but there must be {len(names)}", path, line)
                for line, row in block
                if row and len(row) != len(names)
            ]
            if sound:
                columns = tuple(tuple(row[place] for _, row in sound) for place in places)
                yield [line for line, _ in sound], columns
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num}: not a CSV row: {error}") from error


def _column_positions(path: Path, names: list[str], wanted: tuple[str, ...]) -> list[int]:
    if missing := [name for name in wanted if name not in names]:
        found = f"; the columns are {', '.join(names)}"[:200] if any(names) else "; the file is empty"
        raise InputError(f"{path}:1: no column {' and no column '.join(missing)}{found}")
    return [names.index(name) for name in wanted]
