"""Plain text for terminals and Markdown: numbers with their units, aligned columns and tables."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from harness.utils.escaping import escape_text
from harness.utils.streams import encodable

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


def format_count(count: int | float | None) -> str:
    """Format a number of parameters or operations, with a suffix from 1,000 on; `-` if it is 0 or unknown.

    Examples
    --------
    >>> format_count(89_560), format_count(2_500_000), format_count(None)
    ('89.6k', '2.50M', '-')
    """
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count and count >= 0.9995 * size:
            return f"{count / size:#.3g}".rstrip(".") + unit
    return str(count) if count else "-"


def format_megabytes(size: int) -> str:
    """Format a number of bytes in megabytes (1e6 bytes), without the unit.

    Examples
    --------
    >>> format_megabytes(1_234_567)
    '1.23'
    """
    return f"{size / 1e6:.2f}"


def format_three_digits(value: float) -> str:
    """Format a measured value with three significant digits, or from 1,000 on as an integer with separators.

    Examples
    --------
    >>> format_three_digits(0.12345), format_three_digits(10), format_three_digits(123_456.0)
    ('0.123', '10.0', '123,456')
    """
    return f"{value:,.0f}" if abs(value) >= 99.95 else f"{value:#.3g}"


def format_percent(share: float | None) -> str:
    """Format a fraction as a percentage with one decimal, or `-` if it is missing.

    Examples
    --------
    >>> format_percent(0.5)
    '50.0%'
    """
    return "-" if share is None else f"{100 * share:.1f}%"


def format_duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours, depending on its length.

    Examples
    --------
    >>> format_duration(95), format_duration(163), format_duration(1200), format_duration(9000)
    ('95 s', '2.7 min', '20 min', '2.5 h')
    """
    for unit, size in (("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            value = seconds / size
            return f"{value:.0f} {unit}" if value >= 9.95 else f"{value:.2g} {unit}"
    return f"{seconds:.0f} s"


def align_columns(rows: Sequence[Sequence[str]], left: int | Collection[int] = 1) -> list[str]:
    """Pad the cells of each column to one width; characters that are not printable are escaped.

    Parameters
    ----------
    rows : sequence of sequences of str
        Rows of equally many cells.
    left : int or collection of int, default=1
        Number of leading columns, or indices of the columns, to align to the left; the others are aligned right.

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
    rows = [[encodable(escape_text(cell)) for cell in row] for row in rows]
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
    rows = [[encodable(escape_text(cell)) for cell in row] for row in rows]
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
