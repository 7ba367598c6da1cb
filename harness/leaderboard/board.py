"""Rendering of boards as text, CSV, JSON or Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, TypeVar

from harness.leaderboard.row_keys import board_key
from harness.leaderboard.row_types import BoardRow
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
from harness.utils.escaping import escape_csv, escape_markdown, escape_text, map_text

Row = TypeVar("Row", bound=BoardRow)
FORMATS = ("table", "csv", "json", "md")
TEXT_WIDTH = 100
MARKDOWN_WIDTH = 10_000
"""Width of lines in Markdown, large enough that no sentence is wrapped."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """The rows of one board with its heading and notes.

    Attributes
    ----------
    rows : sequence of BoardRow
        At least one.
    columns : callable
        Returns the columns for a `Wording`.
    heading : list of str
        Phrases of the first line.
    notes : list of str
        Sentences below the table.
    dropped, dropped_last : tuple of str
        Columns to drop from a narrow table; see `fit_to_width`.
    subheading : sequence of str
        Phrases of the second line.
    table_notes : sequence of str
        Further sentences below the table, left out of Markdown.
    more : str, default=""
        A sentence below a table from which columns were dropped.
    expected : tuple of str
        Names of columns; `more` is shown if one of them was dropped. Default: all columns that are not optional.
    closed : bool, default=True
        Whether the table ends with a rule even if no sentence follows.
    apart : int, default=0
        Number of rows at the end that are set apart: below a rule, or in a second table in Markdown.
    apart_title : str, default=""
        A sentence above the second table in Markdown.
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
    expected: tuple[str, ...] = ()
    closed: bool = True
    apart: int = 0
    apart_title: str = ""

    def fit(self, width: int | None) -> Cells:
        """Choose columns and cells that fit within `width` characters; None means no limit."""
        return fit_to_width(self.rows, self.columns, self.dropped, self.dropped_last, width)

    def to_text(self, cells: Cells, width: int, bold: bool) -> str:
        """Format the board as aligned text.

        Parameters
        ----------
        cells : dict
            The result of `fit`.
        width : int
            Characters of a line, to which headings and notes are wrapped.
        bold : bool
            Print the first row in bold if it has rank 1.

        Returns
        -------
        str
        """
        header, rule, *body = table_lines(cells)
        if bold and getattr(self.rows[0], "rank", None) == 1:
            body[0] = f"\033[1m{body[0]}\033[0m"
        if 0 < self.apart < len(body):
            body.insert(len(body) - self.apart, rule)
        is_cut = self.more and len(self._expected(cells)) < len(self._expected(self.fit(None)))
        notes = [*self.notes, *self.table_notes, *([self.more] if is_cut else [])]
        above = [join_phrases(phrases, width) for phrases in (self.heading, self.subheading) if phrases]
        end = [rule, *(wrap_sentence(note, width) for note in notes)] if notes or self.closed else []
        return "\n".join([*above, "", header, rule, *body, *end])

    def _expected(self, cells: Cells) -> list[Column]:
        names = self.expected or [column.name for column in cells if not column.optional]
        return [column for column in cells if column.name in names]

    def to_markdown(self) -> str:
        """Format the board in Markdown, with all columns."""
        above = [f"### {'; '.join(self.heading)}", *(["; ".join(self.subheading)] if self.subheading else [])]
        columns, ranked = self.columns(FULL_WORDING), len(self.rows) - self.apart
        tables = [markdown_columns(self.rows[:ranked], columns)] if ranked else []
        if self.apart:
            tables += [self.apart_title, markdown_columns(self.rows[ranked:], columns)]
        return "\n\n".join([*above, *tables, *self.notes])


@dataclass(frozen=True, kw_only=True)
class Boards:
    """Rows of one or more boards, one board after another.

    Attributes
    ----------
    rows : sequence of BoardRow
        The rows.
    fields : tuple of str
        Fields of a row that are columns of the CSV. A column `metrics.NAME` follows for each metric of any row.
    board : callable
        Builds the `Board` of the rows of one board.
    legend : callable
        Builds the paragraphs after the boards from the names of all columns and the width.
    empty : str, default=""
        The text if there are no rows.
    """

    rows: Sequence[BoardRow]
    fields: tuple[str, ...]
    board: Callable[[Sequence[Any]], Board]
    legend: Callable[[set[str], int], list[str]] = lambda names, width: []
    empty: str = ""

    def render(self, form: str = "table", width: int | None = TEXT_WIDTH, bold: bool = False) -> str:
        """Format the boards; the same rows always give the same text.

        Parameters
        ----------
        form : {"table", "csv", "json", "md"}
            The format.
        width : int or None, default=100
            Characters of a line, for `table` only. If None, tables have any width and sentences are wrapped to 100.
        bold : bool, default=False
            Print the best row in bold, for a terminal.

        Returns
        -------
        str
            The text, with a newline at its end.

        Raises
        ------
        InputError
            If the format is unknown.
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
            tables = [board.fit(width) for board in boards]
            names = {column.name for cells in tables for column in cells}
            text_width = TEXT_WIDTH if width is None else width
            parts = [board.to_text(cells, text_width, bold) for board, cells in zip(boards, tables)]
            legend = "\n".join(self.legend(names, text_width))
        return "\n\n".join([*parts, *([legend] if legend else [])] or [self.empty]) + "\n"


def escape_rows(rows: Sequence[Row], form: str) -> Sequence[Row]:
    """Escape the texts of rows for `table` or `md`; `as_csv` escapes cell by cell."""
    escape = {"table": escape_text, "md": escape_markdown}.get(form)
    return rows if escape is None else [map_text(row, escape) for row in rows]


def as_json(rows: Sequence[BoardRow]) -> str:
    """Format rows as a JSON list of objects; floats are rounded to six decimals, except those in `settings`."""
    objects = [_round_floats(row.as_dict()) | {"settings": row.settings} for row in rows]
    return json.dumps(objects, indent=1, sort_keys=True) + "\n"


def as_csv(rows: Sequence[BoardRow], fields: Sequence[str]) -> str:
    """Format rows as CSV: six decimals, space-separated lists and settings, empty cells for null."""
    metrics = [getattr(row, "metrics", {}) for row in rows]
    names = sorted({name for values in metrics for name in values})
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([*fields, *(escape_csv(f"metrics.{name}") for name in names)])
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
        return escape_csv(" ".join(f"{name}={_format_setting(item)}" for name, item in value.items()))
    if isinstance(value, list):
        return escape_csv(" ".join(map(str, value)))
    return f"{value:z.6f}" if isinstance(value, float) else escape_csv(str(value))


def _format_setting(setting: Any) -> str:
    return setting if isinstance(setting, str) else json.dumps(setting, separators=(",", ":"))


def _round_floats(value: Any) -> Any:
    """Round to six decimals, without negative zero."""
    if isinstance(value, float):
        return round(value, 6) + 0.0
    if isinstance(value, dict):
        return {key: _round_floats(item) for key, item in value.items()}
    return [_round_floats(item) for item in value] if isinstance(value, list) else value
