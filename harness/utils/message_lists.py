"""Lists in messages, wrapped to the terminal."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterable

MAX_WIDTH = 100
"""Maximum width of a line in characters, however wide the terminal is."""


def bullet_list(items: Iterable[str]) -> str:
    r"""Format a list for a message, with a line per item, wrapped to the width of the terminal or `MAX_WIDTH`.

    Examples
    --------
    >>> print("Supported:\n" + bullet_list(["mean", "median"]))
    Supported:
      - mean
      - median
    """
    return "\n".join(_wrap_item(item, "  - ") for item in items)


def wrap_names(names: Iterable[str]) -> str:
    r"""Format names for a message as indented lines, wrapped to the width of the terminal or `MAX_WIDTH`.

    Examples
    --------
    >>> print("known:\n" + wrap_names(["mean", "median"]))
    known:
      mean, median
    """
    return _wrap_item(", ".join(names), "  ")


def _wrap_item(text: str, mark: str) -> str:
    width = min(shutil.get_terminal_size().columns, MAX_WIDTH)
    indent = " " * len(mark)
    return textwrap.fill(
        text, width, initial_indent=mark, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
