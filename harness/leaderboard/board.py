"""Boards in the four formats of the leaderboard."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from harness.leaderboard.row_types import BoardRow
from harness.leaderboard.rows import board_key
from harness.leaderboard.table_layout import (
    FULL_WORDING,
    Cells,
    Column,
    Wording,
    fit_to_width,
    join_phrases,
    markdown_columns,
    table_lines,
    wrap_sentence,
)
from harness.utils.errors import unknown_name_error

FORMATS = ("table", "csv", "json", "md")
MARKDOWN_WIDTH = 10_000
"""Characters of a line in Markdown: it is not wrapped."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """The rows of one board and what stands around them.

    Parameters
    ----------
    rows : list of BoardRow
        At least one.
    columns : callable
        The columns in a `Wording`.
    heading, subheading : list of str
        Phrases above the table.
    notes : list of str
        Sentences below the table.
    table_notes : list of str
        Further sentences, only below a table that is not Markdown.
    more : str, default=""
        A sentence below a table that lacks columns.
    dropped, dropped_last : tuple of str
        Columns that a narrow table lacks; see `fit_to_width`.
    closed : bool, default=True
        Whether the table ends with a rule even where no sentence follows.
    """

    rows: Sequence[BoardRow]
    columns: Callable[[Wording], list[Column]]
    heading: list[str]
    notes: list[str]
    dropped: tuple[str, ...]
    dropped_last: tuple[str, ...]
    subheading: Sequence[str] = ()
    table_notes: Sequence[str] = ()
    more: str = ""
    closed: bool = True

    def fit(self, width: int) -> Cells:
        """The cells of the table within `width` characters."""
        return fit_to_width(self.rows, self.columns, self.dropped, self.dropped_last, width)

    def to_text(self, cells: Cells, width: int, bold: bool) -> str:
        """Aligned text; bold: the first row in bold where it has rank 1."""
        header, rule, *body = table_lines(cells)
        if bold and self.rows[0].rank == 1:
            body[0] = f"\033[1m{body[0]}\033[0m"
        lacking = self.more and len(cells) < len(self.columns(FULL_WORDING))
        notes = [*self.notes, *self.table_notes, *([self.more] if lacking else [])]
        above = [join_phrases(phrases, width) for phrases in (self.heading, self.subheading) if phrases]
        end = [rule, *(wrap_sentence(note, width) for note in notes)] if notes or self.closed else []
        return "\n".join([*above, "", header, rule, *body, *end])

    def to_markdown(self) -> str:
        """A heading and a table with every column."""
        above = [f"### {'; '.join(self.heading)}", *(["; ".join(self.subheading)] if self.subheading else [])]
        return "\n\n".join([*above, markdown_columns(self.rows, self.columns(FULL_WORDING)), *self.notes])


@dataclass(frozen=True, kw_only=True)
class Boards:
    """Rows of one or more boards, one board after another.

    Parameters
    ----------
    rows : list of BoardRow
        The rows.
    fields : tuple of str
        Fields of a row that are columns of the CSV; one for each metric of any row follows, as `metrics.NAME`.
    board : callable
        The `Board` of some of the rows.
    legend : callable
        Paragraphs after the boards, given the names of all columns and the width.
    empty : str, default=""
        The text where there are no rows.
    """

    rows: Sequence[BoardRow]
    fields: tuple[str, ...]
    board: Callable[[Sequence[BoardRow]], Board]
    legend: Callable[[set[str], int], list[str]] = lambda names, width: []
    empty: str = ""

    def render(self, form: str = "table", width: int = 100, bold: bool = False) -> str:
        """The rows in one of FORMATS, newline at the end; equal rows give equal bytes.

        width: columns of the terminal, for `table` only; bold: the best row in bold (for a terminal).
        """
        if form not in FORMATS:
            raise unknown_name_error("format", form, FORMATS)
        if form == "json":
            return as_json(self.rows)
        if form == "csv":
            return as_csv(self.rows, self.fields)
        boards = [self.board(list(part)) for _, part in groupby(self.rows, key=board_key)]
        if form == "md":
            names = {column.name for board in boards for column in board.columns(FULL_WORDING)}
            parts, legend = [board.to_markdown() for board in boards], "\n\n".join(self.legend(names, MARKDOWN_WIDTH))
        else:
            cells = [board.fit(width) for board in boards]
            names = {column.name for shown in cells for column in shown}
            parts = [board.to_text(shown, width, bold) for board, shown in zip(boards, cells)]
            legend = "\n".join(self.legend(names, width))
        return "\n\n".join([*parts, *([legend] if legend else [])] or [self.empty]) + "\n"


def as_json(rows: Sequence[BoardRow]) -> str:
    """A list of objects, floats with six decimals; settings of heads as they are."""
    exact = [_round_floats(row.as_dict()) | {"settings": row.settings} for row in rows]
    return json.dumps(exact, indent=1, sort_keys=True) + "\n"


def as_csv(rows: Sequence[BoardRow], fields: Sequence[str]) -> str:
    """Floats with six decimals, lists and settings separated by blanks, nothing for null."""
    metrics = [getattr(row, "metrics", {}) for row in rows]
    names = sorted({name for values in metrics for name in values})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*fields, *(f"metrics.{name}" for name in names)])
    for row, values in zip(rows, metrics):
        writer.writerow(
            [_csv_cell(getattr(row, name)) for name in fields] + [_csv_cell(values.get(name)) for name in names]
        )
    return out.getvalue()


def _csv_cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return " ".join(f"{name}={_format_setting(item)}" for name, item in value.items())
    if isinstance(value, list):
        return " ".join(map(str, value))
    return f"{_round_floats(value):.6f}" if isinstance(value, float) else str(value)


def _format_setting(setting: Any) -> str:
    return setting if isinstance(setting, str) else json.dumps(setting, separators=(",", ":"))


def _round_floats(value: Any) -> Any:
    """Six decimals, and no negative zero."""
    if isinstance(value, float):
        return round(value, 6) + 0.0
    if isinstance(value, dict):
        return {key: _round_floats(item) for key, item in value.items()}
    return [_round_floats(item) for item in value] if isinstance(value, list) else value
