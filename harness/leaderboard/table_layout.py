"""Layout of text tables within a width: which columns are dropped and which cells are shortened."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.utils.streams import encodable
from harness.utils.text import GAP, markdown_table, ruled_table

MIN_NAME_WIDTH = 12
"""Minimum width of a shortened name, in characters."""
RUN_ID = "run id"
MAX_END_WIDTH = 24
"""Maximum width, in characters, that a column keeps so that the ends of its cells are whole; see `Column.end`. It is
reduced to `MIN_NAME_WIDTH` only if the table does not fit otherwise."""


@dataclass(frozen=True)
class Column:
    """A column of a board.

    Attributes
    ----------
    name : str
        The heading.
    text : callable
        Returns the cell of a row.
    right : bool, default=False
        Align to the right.
    shrinks : bool, default=False
        Whether cells may be shortened.
    end : callable
        Returns the last part of a row's cell, which is kept when the cell is shortened, because it is the most
        informative part.
    optional : bool, default=False
        Show the column only if the table also fits with it.
    """

    name: str
    text: Callable[[Any], str]
    right: bool = False
    shrinks: bool = False
    end: Callable[[Any], str] = lambda row: ""
    optional: bool = False


Cells = dict[Column, list[str]]
"""The heading and the cells of each column."""


@dataclass(frozen=True)
class Wording:
    """How verbose a table is.

    Attributes
    ----------
    brief : bool, default=False
        Show only as many differing settings as are needed to tell similar rows apart, and abbreviate headings.
    short : bool, default=False
        Abbreviate the longest words of cells.
    numbered : bool, default=False
        Show the number of a note instead of its text.
    """

    brief: bool = False
    short: bool = False
    numbered: bool = False


FULL_WORDING = Wording()
WORDINGS = (Wording(numbered=True), Wording(brief=True, numbered=True), Wording(brief=True, short=True, numbered=True))
"""Wordings that are tried in this order, from verbose to terse."""


def fit_to_width(
    rows: Sequence[Any],
    columns: Callable[[Wording], list[Column]],
    dropped: Sequence[str],
    dropped_last: Sequence[str],
    width: int | None,
) -> Cells:
    """Choose columns and cells that fit within a width.

    The first of `WORDINGS` that fits is used. If none fits, columns of the last wording are dropped in the order of
    `dropped`, names are shortened, and then columns are dropped in the order of `dropped_last`. Settings that tell
    rows apart are cut last. Columns without any value are left out.

    A table can be wider than `width` for two reasons: cells that differ are not shortened to equal texts, and a column
    is not dropped if the names of two rows differ only in that column.

    Parameters
    ----------
    rows : sequence
        The rows of the table.
    columns : callable
        Returns the columns for a `Wording`.
    dropped, dropped_last : sequence of str
        Names of columns to drop, before and after names are shortened.
    width : int or None
        Characters of a line; None for no limit.

    Returns
    -------
    dict of Column to list of str
        The heading and the cells of each column.
    """
    if width is None:
        return _make_cells(rows, columns(FULL_WORDING))
    cells: Cells = {}
    for wording in WORDINGS:
        everything = _make_cells(rows, columns(wording))
        cells = {column: texts for column, texts in everything.items() if not column.optional}
        if total_width(cells) <= width:
            return everything if total_width(everything) <= width else cells
    for name in dropped:
        cells = {column: texts for column, texts in cells.items() if column.name != name}
        if total_width(cells) <= width:
            return cells
    limits = {
        column: max(MIN_NAME_WIDTH, min(MAX_END_WIDTH, max(len(column.end(row)) for row in rows) + 3))
        for column in cells
    }
    for name in ("", *dropped_last):
        remaining = {column: texts for column, texts in cells.items() if column.name != name}
        cells = remaining if _count_distinct(remaining) == _count_distinct(cells) else cells
        shortened = _shorten_columns(cells, rows, width, limits)
        if total_width(shortened) <= width:
            return shortened
    return _shorten_columns(cells, rows, width, dict.fromkeys(cells, MIN_NAME_WIDTH))


def table_lines(cells: Cells) -> list[str]:
    """Format a table: the heading, a rule, and one line for each row."""
    left = [i for i, column in enumerate(cells) if not column.right]
    return ruled_table(list(zip(*cells.values())), left)


def markdown_columns(rows: Sequence[Any], columns: Sequence[Column]) -> str:
    """Format a Markdown table with all columns, regardless of its width."""
    right = [i for i, column in enumerate(columns) if column.right]
    names = [column.name.strip() for column in columns]
    return markdown_table(names, [[column.text(row) for column in columns] for row in rows], right)


def join_phrases(phrases: Sequence[str], width: int) -> str:
    """Join phrases with semicolons; break lines between phrases, and inside a phrase only if it exceeds a line."""
    lines: list[str] = []
    for phrase in phrases:
        if lines and len(lines[-1]) + len(phrase) + 3 <= width:
            lines[-1] += f"; {phrase}"
        else:
            lines.append(phrase)
    return "\n".join(line if len(line) <= width else wrap_sentence(line, width) for line in lines)


def wrap_sentence(text: str, width: int) -> str:
    """Wrap a sentence to lines of at most `width` characters, with a hanging indent."""
    return textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False)


def total_width(cells: Cells) -> int:
    """Return the width of the table in characters."""
    return sum(max(map(len, texts)) for texts in cells.values()) + len(GAP) * (len(cells) - 1)


def _make_cells(rows: Sequence[Any], columns: list[Column]) -> Cells:
    cells = {column: [column.name, *(encodable(column.text(row)) for row in rows)] for column in columns}
    return {column: texts for column, texts in cells.items() if any(text.strip() != "-" for text in texts[1:])}


def _shorten_columns(cells: Cells, rows: Sequence[Any], width: int, limits: dict[Column, int]) -> Cells:
    full, cells, limits = cells, dict(cells), dict(limits)
    while total_width(cells) > width and (widest := _widest_column(cells, limits)) is not None:
        limit = max(map(len, cells[widest])) - 1
        ends = ["", *map(widest.end, rows)]
        shortened = [_truncate(text, limit, end) for text, end in zip(full[widest], ends)]
        if len(set(shortened)) == len(set(full[widest])):
            cells[widest] = shortened
        else:
            limits[widest] = limit + 1
    return cells


def _count_distinct(cells: Cells) -> int:
    """Count the distinct rows in the columns of names: all columns that may be shortened, except the run id."""
    names = [texts for column, texts in cells.items() if column.shrinks and column.name != RUN_ID]
    return len(set(zip(*names)))


def _widest_column(cells: Cells, limits: dict[Column, int]) -> Column | None:
    candidates = [column for column, texts in cells.items() if column.shrinks and max(map(len, texts)) > limits[column]]
    return max(candidates, key=lambda column: max(map(len, cells[column])), default=None)


def _truncate(text: str, limit: int, end: str) -> str:
    """Shorten a cell to `limit` characters.

    A cell is a name, followed by an `end` that may be empty (see `Column.end`). The end is kept if at least two
    characters of the name fit before it. If the end is empty, the first and last characters of the name are kept,
    because related names often differ only in their last characters.
    """
    if len(text) <= limit:
        return text
    ellipsis = encodable("…")
    name, room = text.removesuffix(end), limit - len(end) - len(ellipsis)
    if room < 2:
        return f"{text[: limit - len(ellipsis)]}{ellipsis}"
    tail = 0 if end else room * 2 // 5
    return f"{name[: room - tail]}{ellipsis}{name[len(name) - tail :]}{end}"
