"""Checks of JSON values from files and servers: predicates, and combinations of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from harness.utils.escaping import escape_text

Predicate = Callable[[Any], bool]
Check = tuple[Predicate, str]
"""Predicate that tells whether a JSON value is valid, and a description of valid values."""

MAX_TEXT = 4096
"""Maximum length of a text, in characters."""
MAX_LABEL = 200
"""Maximum length of a name, in characters."""
MAX_INTEGER = 2**63 - 1
MAX_ITEMS = 10_000
"""Maximum number of items in a list."""
MAX_SHOWN = 40
"""Maximum length of an invalid value in a message, in characters."""


def find_faults(values: Mapping[str, Any], checks: Mapping[str, Check]) -> list[str]:
    """List what is wrong with the fields of a JSON object.

    Parameters
    ----------
    values : mapping of str to Any
        JSON values by name; each name must have a check.
    checks : mapping of str to (callable, str)
        Predicate of each field, and what the field must be.

    Returns
    -------
    list of str
        A phrase for each wrong field; empty for a valid object.

    Examples
    --------
    >>> find_faults({"seed": "0"}, {"seed": (is_count, "a whole number")})
    ["seed is '0', not a whole number"]
    """
    faults = []
    for name, value in values.items():
        is_valid, expected = checks[name]
        if not is_valid(value):
            faults.append(f"{name} is {shorten_value(value)}, not {expected}")
    return faults


def shorten_value(value: Any) -> str:
    """Format a value for a message on one line, shortened to `MAX_SHOWN` characters."""
    is_huge = isinstance(value, int) and abs(value) > MAX_INTEGER
    text = "a huge number" if is_huge else escape_text(repr(value))
    return text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…"


def is_text(value: Any) -> bool:
    """Return whether a value is text of at most `MAX_TEXT` characters."""
    return isinstance(value, str) and len(value) <= MAX_TEXT


def is_label(value: Any) -> bool:
    """Return whether a value is printable text of at most `MAX_LABEL` characters."""
    return isinstance(value, str) and value.isprintable() and len(value) <= MAX_LABEL


def is_flag(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_count(value: Any) -> bool:
    """Return whether a value is an integer from 0 to `MAX_INTEGER`."""
    return type(value) is int and 0 <= value <= MAX_INTEGER


def is_number(value: Any) -> bool:
    """Return whether a value is a finite float, or an integer of at most 64 bits."""
    return (type(value) is float and math.isfinite(value)) or (type(value) is int and abs(value) <= MAX_INTEGER)


def is_share(value: Any) -> bool:
    """Return whether a value is a number from 0 to 1."""
    return is_number(value) and 0 <= value <= 1


def is_json(value: Any) -> bool:
    """Return whether a value consists of texts, finite numbers, booleans and null, in lists and objects."""
    if isinstance(value, dict):
        return all(map(is_label, value)) and all(map(is_json, value.values()))
    if isinstance(value, list):
        return len(value) <= MAX_ITEMS and all(map(is_json, value))
    return value is None or isinstance(value, bool) or is_text(value) or is_number(value)


def optional(is_valid: Predicate) -> Predicate:
    """Return a predicate that also accepts None."""
    return lambda value: value is None or is_valid(value)


def list_of(is_valid: Predicate) -> Predicate:
    """Return a predicate for lists of at most `MAX_ITEMS` valid items."""
    return lambda value: isinstance(value, list) and len(value) <= MAX_ITEMS and all(map(is_valid, value))


def mapping_of(is_valid: Predicate) -> Predicate:
    """Return a predicate for objects whose values are valid and whose keys are labels (`is_label`)."""
    return lambda value: isinstance(value, dict) and all(map(is_label, value)) and all(map(is_valid, value.values()))


def has_valid(values: Mapping[str, Any], name: str, is_valid: Predicate) -> bool:
    """Return whether `values[name]` is valid or missing."""
    return name not in values or is_valid(values[name])
