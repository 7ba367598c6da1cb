"""Standard output of commands, with control characters of names escaped."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import TextIO

from harness.utils.escaping import escape_lines, escape_text


def print_text(text: str) -> None:
    """Print a formatted text of several lines and escape control characters in it; see `escape_lines`."""
    print(escape_lines(text))


def print_lines(lines: Iterable[object]) -> None:
    """Print texts, each escaped and on one line."""
    print("\n".join(escape_text(str(line)) for line in lines))


def print_line(text: str, file: TextIO | None = None) -> None:
    """Print a text, escaped and on one line, by default to standard output."""
    print(escape_text(text), file=file or sys.stdout, flush=True)
