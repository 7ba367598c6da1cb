"""Parsing of JSON from files and servers, which may be invalid."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backbones.regular_files import read_regular_text

MAX_DEPTH = 32
"""Maximum nesting depth of a JSON document."""


def parse_json(text: str | bytes, finite: bool = False) -> Any:
    """Parse a JSON document.

    Parameters
    ----------
    text : str or bytes
    finite : bool, default=False
        Refuse `NaN`, `Infinity` and `-Infinity`, which are not part of JSON but which Python writes and reads.

    Raises
    ------
    ValueError
        For text that is not JSON, for constants that `finite` refuses, and for values that are nested deeper than
        `MAX_DEPTH`.

    Examples
    --------
    >>> parse_json('{"a": [1]}')
    {'a': [1]}
    >>> parse_json("[" * 100 + "]" * 100)
    Traceback (most recent call last):
    ValueError: nested more than 32 levels deep
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant if finite else None)
    except RecursionError as error:
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep") from error
    if _count_brackets(text) > MAX_DEPTH and _is_deeper(value, MAX_DEPTH):
        raise ValueError(f"nested more than {MAX_DEPTH} levels deep")
    return value


def read_json(path: Path) -> Any:
    """Read a JSON file; raise OSError if it cannot be read and ValueError if it is not JSON, see `parse_json`."""
    return parse_json(read_regular_text(path))


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a number in JSON")


def _count_brackets(text: str | bytes) -> int:
    """Count opening brackets; their number is an upper bound of the nesting depth."""
    return text.count("[") + text.count("{") if isinstance(text, str) else text.count(b"[") + text.count(b"{")


def _is_deeper(value: Any, depth: int) -> bool:
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, list):
        return False
    return depth == 0 or any(_is_deeper(part, depth - 1) for part in value)
