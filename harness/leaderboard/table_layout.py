"""Columns of text within a width: what is dropped, what is shortened, what stays readable."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.row_types import BoardRow
from harness.utils.text import GAP, markdown_table, ruled_table

MIN_NAME_WIDTH, MAX_END_WIDTH = 12, 24
"""Characters to which names are shortened, and the most of a cell's end that this spares as long as it can."""


@dataclass(frozen=True)
class Column:
    """text: the cell; end: the part of it that says most, which stays when a cell that `shrinks` is cut."""

    name: str
    text: Callable[[Any], str]
    right: bool = False
    shrinks: bool = False
    end: Callable[[Any], str] = lambda row: ""


Cells = dict[Column, list[str]]


@dataclass(frozen=True)
class Wording:
    """How much a table says.

    brief: of the settings in which rows that look alike differ, only as many as tell them apart; short: the longest
    words in fewer letters; numbered: of the notes, only their numbers.
    """

    brief: bool = False
    short: bool = False
    numbered: bool = False


FULL_WORDING = Wording()
WORDINGS = (Wording(numbered=True), Wording(brief=True, numbered=True), Wording(brief=True, short=True, numbered=True))
"""From wordy to terse."""


def fit_to_width(
    listed: Sequence[BoardRow],
    columns: Callable[[Wording], list[Column]],
    dropped: Sequence[str],
    dropped_last: Sequence[str],
    width: int,
) -> Cells:
    """Each column's name and texts, in the first of TRIES that fits within `width` characters.

    Where none does, columns of the last one are dropped in the order of `dropped`, names are shortened, and then
    `dropped_last` go; what tells rows apart is cut last. Columns that say nothing are left out.
    """
    cells: Cells = {}
    for wording in WORDINGS:
        cells = _make_cells(listed, columns(wording))
        if total_width(cells) <= width:
            return cells
    for name in dropped:
        cells = {c: texts for c, texts in cells.items() if c.name != name}
        if total_width(cells) <= width:
            return cells
    shortest = {c: max(MIN_NAME_WIDTH, min(MAX_END_WIDTH, max(len(c.end(row)) for row in listed) + 3)) for c in cells}
    for gone in range(len(dropped_last) + 1):
        kept = {c: texts for c, texts in cells.items() if c.name not in dropped_last[:gone]}
        shortened = _shorten_columns(kept, listed, width, shortest)
        if total_width(shortened) <= width:
            return shortened
    return _shorten_columns(kept, listed, width, dict.fromkeys(kept, MIN_NAME_WIDTH))


def table_lines(cells: Cells) -> list[str]:
    """The header, a rule, and a line for each row."""
    left = [place for place, column in enumerate(cells) if not column.right]
    return ruled_table(list(zip(*cells.values())), left)


def markdown_columns(listed: Sequence[BoardRow], columns: Sequence[Column]) -> str:
    """Every column, whatever its width."""
    right = [place for place, column in enumerate(columns) if column.right]
    names = [column.name.strip() for column in columns]
    return markdown_table(names, [[column.text(row) for column in columns] for row in listed], right)


def join_phrases(parts: Sequence[str], width: int) -> str:
    """Parts separated by semicolons, broken between parts where a line would be too long."""
    wrapped: list[str] = []
    for part in parts:
        if wrapped and len(wrapped[-1]) + len(part) + 3 <= width:
            wrapped[-1] += f"; {part}"
        else:
            wrapped.append(part)
    return "\n".join(wrapped)


def wrap_sentence(text: str, width: int) -> str:
    """A sentence within `width`, what goes on indented."""
    return textwrap.fill(text, width, subsequent_indent="  ", break_on_hyphens=False)


def total_width(cells: Cells) -> int:
    return sum(max(map(len, texts)) for texts in cells.values()) + len(GAP) * (len(cells) - 1)


def _make_cells(listed: Sequence[BoardRow], columns: list[Column]) -> Cells:
    cells = {c: [c.name, *(c.text(row) for row in listed)] for c in columns}
    return {c: texts for c, texts in cells.items() if any(text.strip() != "-" for text in texts[1:])}


def _shorten_columns(cells: Cells, listed: Sequence[BoardRow], width: int, shortest: dict[Column, int]) -> Cells:
    whole, cells = cells, dict(cells)
    while total_width(cells) > width and (long := _widest_column(cells, shortest)) is not None:
        limit = max(map(len, cells[long])) - 1
        ends = ["", *map(long.end, listed)]
        cells[long] = [_truncate(text, limit, end) for text, end in zip(whole[long], ends)]
    return cells


def _widest_column(cells: Cells, shortest: dict[Column, int]) -> Column | None:
    wide = [c for c, texts in cells.items() if c.shrinks and max(map(len, texts)) > shortest[c]]
    return max(wide, key=lambda c: max(map(len, cells[c])), default=None)


def _truncate(text: str, limit: int, end: str) -> str:
    """At most `limit` characters. The end stays readable as long as two characters of the name fit before it; a name
    without one keeps its own end, in which names of a family differ.
    """
    if len(text) <= limit:
        return text
    name, room = text.removesuffix(end), limit - len(end) - 1
    if room < 2:
        return f"{text[: limit - 1]}…"
    tail = 0 if end else room * 2 // 5
    return f"{name[: room - tail]}…{name[len(name) - tail :]}{end}"
