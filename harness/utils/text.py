"""Plain text for terminals and Markdown: aligned columns, tables and counted nouns."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from harness.utils.escaping import escape_text

_UNESCAPED_PIPE = re.compile(r"(?<!\\)\|")
GAP = "  "
"""Space between columns."""


def plural(number: int, noun: str, spec: str = ",") -> str:
    """Format a number with a noun, adding an s unless the number is 1.

    Examples
    --------
    >>> plural(2000, "video")
    '2,000 videos'
    """
    return f"{number:{spec}} {noun}{'' if number == 1 else 's'}"


def align_columns(rows: Sequence[Sequence[str]], left: int | Collection[int] = 1) -> list[str]:
    """Pad the cells of each column to one width; characters that are not printable are escaped.

    Parameters
    ----------
    rows : sequence of sequences of str
        Rows of equally many cells.
    left : int or collection of int, default=1
        How many leading columns, or which ones, are aligned to the left; the others are aligned to the right.

    Returns
    -------
    list of str
        One line for each row, without trailing spaces.

    Examples
    --------
    >>> align_columns([("name", "size"), ("a", "12")])
    ['name  size', 'a       12']
    """
    left_columns = range(left) if isinstance(left, int) else left
    rows = [list(map(escape_text, row)) for row in rows]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return [
        GAP.join(
            cell.ljust(width) if index in left_columns else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths))
        ).rstrip()
        for row in rows
    ]


def ruled_table(rows: Sequence[Sequence[str]], left: int | Collection[int] = 1, header: int = 1) -> list[str]:
    """Align columns, see `align_columns`, and insert a rule after the first `header` rows."""
    rows = [list(map(escape_text, row)) for row in rows]
    lines = align_columns(rows, left)
    width = sum(max(map(len, column)) for column in zip(*rows)) + len(GAP) * (len(rows[0]) - 1)
    return [*lines[:header], "-" * width, *lines[header:]]


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]], right: Collection[int] = ()) -> str:
    """Format a Markdown table.

    Parameters
    ----------
    header : sequence of str
    rows : sequence of sequences of str
    right : collection of int, default=()
        Columns that are aligned to the right.

    Returns
    -------
    str

    Examples
    --------
    >>> print(markdown_table(["name", "size"], [("a", "12")], right=[1]))
    | name | size |
    | --- | ---: |
    | a | 12 |
    """
    rule = ["---:" if index in right else "---" for index in range(len(header))]
    names, *cells = ([_UNESCAPED_PIPE.sub(r"\|", escape_text(cell.strip())) for cell in row] for row in [header, *rows])
    return "\n".join(f"| {' | '.join(line)} |" for line in [names, rule, *cells])
