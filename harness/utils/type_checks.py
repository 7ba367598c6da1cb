"""Checks of the types of values read from files, against the type hints of a class."""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping
from typing import Any


def have_hinted_types(cls: type, values: Mapping[str, Any]) -> bool:
    """Return whether values have the types that the fields of a class declare.

    Parameters
    ----------
    cls : type
        Class with fields of scalars, classes, tuples of any length, literals and unions of these.
    values : mapping of str to Any
        Values by field; fields may be missing.

    Returns
    -------
    bool
        False also if a name is not a field. An integer is valid for a float. A bool is valid only for a bool.

    Examples
    --------
    >>> from harness import SmoothingGrid
    >>> have_hinted_types(SmoothingGrid, {"kernels": ("mean",), "largest": 5})
    True
    >>> have_hinted_types(SmoothingGrid, {"largest": 0.5})
    False
    """
    hints = _type_hints(cls)
    return all(name in hints and _has_type(value, hints[name]) for name, value in values.items())


_type_hints = functools.cache(typing.get_type_hints)


def _has_type(value: Any, hint: Any) -> bool:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (types.UnionType, typing.Union):
        return any(_has_type(value, argument) for argument in arguments)
    if origin is typing.Literal:
        return any(type(value) is type(word) and value == word for word in arguments)
    if origin is tuple:
        return isinstance(value, tuple) and all(_has_type(part, arguments[0]) for part in value)
    if hint is float:
        return type(value) in (int, float)
    return type(value) is hint
