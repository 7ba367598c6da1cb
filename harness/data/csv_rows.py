"""Read a CSV file as rows of text: detect its encoding, separator and header, and find malformed lines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backbones.regular_files import open_regular
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.text_encoding import WINDOWS, encoding_of, read_decoded
from harness.utils.errors import InputError
from harness.utils.text import plural

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
_SEPARATOR_LINE = re.compile(r'"?sep=([,;\t|])"?[,;\t|]*\n')
"""First line that tells spreadsheet programs the separator; it is not the header."""
ENOUGH_COLUMNS = 2
MAX_HEADER = 1 << 16
"""Maximum number of bytes that are read to find the header of a file."""


@dataclass(frozen=True)
class CsvRows:
    """Rows of a CSV file.

    Attributes
    ----------
    header : list of str
        Names of the W columns.
    header_line : int
        Line number of the header.
    rows : list of list of str
        W cells each.
    lines : list of int
        Number of the last line of each row.
    faults : tuple of Problem
        Errors of rows with a wrong number of cells.
    warnings : tuple of Problem
    form : tuple of str
        Descriptions of the separator and the encoding. The defaults (comma, UTF-8) are left out.
    """

    header: list[str]
    header_line: int
    rows: list[list[str]]
    lines: list[int]
    faults: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    form: tuple[str, ...]


def read_rows(path: Path, is_column: Callable[[str], object]) -> CsvRows:
    """Read a CSV file whose cells are separated by commas, semicolons, tabs or bars.

    A line such as `sep=;` before the header names the separator. Without this line, the first separator that splits the
    header into at least two known columns is used. If there is none, the separator that yields the most known columns
    is used; ties are broken by the number of all columns. Lines without any text are skipped, and empty cells after
    the last column are ignored.

    Parameters
    ----------
    path : Path
    is_column : callable
        Returns whether a cell of the header is the name of a known column.

    Returns
    -------
    CsvRows

    Raises
    ------
    InputError
        If the file cannot be read, is not a text file, or has a quote that is not closed.
    """
    text, encoding, note = read_decoded(path, "the CSV file")
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise InputError(f"{path}:{line}: a NUL character, so this is not a text file; replace it with the CSV file")
    setting = _SEPARATOR_LINE.match(text)
    text = text[setting.end() :] if setting else text
    separator = setting[1] if setting else find_separator(text, is_column)
    form = [] if separator == "," else [f"separated by {SEPARATORS[separator]}"]
    form += [] if encoding == "utf-8-sig" else ["Windows-1252" if encoding == WINDOWS else encoding.upper()]
    warnings = (Problem(WARNING, "encoding", note, path),) if note else ()
    parser = _Parser(path, text, separator, 1 if setting else 0)
    header, header_line = parser.header()
    rows, lines, faults = parser.rows(header)
    named = _count_named(header)
    if all(_is_blank(row[named:]) for row in rows):
        header, rows = header[:named], [row[:named] for row in rows] if named < len(header) else rows
    return CsvRows(header, header_line, rows, lines, faults, warnings, tuple(form))


def find_separator(text: str, is_column: Callable[[str], object]) -> str:
    """Return the separator of the header at the beginning of a text; see `read_rows`."""

    def rank(separator: str) -> tuple[int, int]:
        cells = _first_row(text, separator)
        known = min(sum(bool(is_column(cell)) for cell in cells), ENOUGH_COLUMNS)
        return known, len(cells) if known < ENOUGH_COLUMNS else 0

    return max(SEPARATORS, key=rank)


def _first_row(text: str, separator: str) -> list[str]:
    try:
        return next((row for row in csv.reader(io.StringIO(text), delimiter=separator) if not _is_blank(row)), [])
    except csv.Error:
        return []


class _Parser:
    """Rows of a text, with the lines on which each begins and ends.

    Parameters
    ----------
    path : Path
        File, for messages.
    text : str
    separator : str
    skipped : int
        Number of lines before the text.
    """

    def __init__(self, path: Path, text: str, separator: str, skipped: int):
        self.path, self.separator, self.skipped = path, separator, skipped
        self.reader = csv.reader(io.StringIO(text), delimiter=separator)

    def header(self) -> tuple[list[str], int]:
        """Return the first row with any text and the number of its last line."""
        return next(((row, last) for row, _, last in self), ([], 1))

    def rows(self, header: Sequence[str]) -> tuple[list[list[str]], list[int], tuple[Problem, ...]]:
        """Return the rows that fit the header, the numbers of their last lines, and a problem for every other row."""
        width = len(header)
        named = _count_named(header)
        rows: list[list[str]] = []
        lines: list[int] = []
        faults: list[Problem] = []
        for row, first, last in self:
            if len(row) == width or (named <= len(row) and _is_blank(row[width:])):
                rows.append((row + [""] * (width - len(row)))[:width])
                lines.append(last)
            else:
                faults.append(Problem(ERROR, "row", self._width_message(row, width, first, last), self.path, last))
        return rows, lines, tuple(faults)

    def __iter__(self) -> Iterator[tuple[list[str], int, int]]:
        """Yield each row with any text, and the numbers of its first and last line."""
        while True:
            first = self.skipped + self.reader.line_num + 1
            try:
                row = next(self.reader, None)
            except csv.Error as error:
                raise InputError(
                    f"{self.path}:{first}: not a CSV row: {error}; a quote on this line or after it may not be closed"
                ) from error
            if row is None:
                return
            if not _is_blank(row):
                yield row, first, self.skipped + self.reader.line_num

    def _width_message(self, row: list[str], width: int, first: int, last: int) -> str:
        message = f"{plural(len(row), 'column')}, but the header has {width}"
        if last > first:
            return f"{message}; the row begins on line {first}, where a quote may not be closed"
        if len(row) > width:
            return f"{message}; put quotes around cells that contain {SEPARATORS[self.separator]}"
        return message


def _count_named(header: Sequence[str]) -> int:
    """Return the number of columns up to the last one that has a name."""
    return max((position for position, name in enumerate(header, start=1) if name.strip()), default=0)


def _is_blank(row: Sequence[str]) -> bool:
    return not any(map(str.strip, row))


def peek_header(path: Path, is_column: Callable[[str], object]) -> list[str]:
    """Return the cells of the header of a CSV file, reading only its beginning; empty if there is no header.

    Parameters
    ----------
    path : Path
    is_column : callable
        See `read_rows`.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(MAX_HEADER)
    text = head.decode(encoding_of(head), errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    if setting := _SEPARATOR_LINE.match(text):
        return _first_row(text[setting.end() :], setting[1])
    return _first_row(text, find_separator(text, is_column))
