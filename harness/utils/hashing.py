"""Content hashes of settings, which identify jobs, feature entries and checkpoints."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


def to_jsonable(value: Any) -> Any:
    """Convert a value to JSON types.

    Parameters
    ----------
    value : Any
        JSON types, tuples and dataclasses, nested.

    Returns
    -------
    Any
        A dataclass becomes an object with its `hash_tag` as `type`, so that classes do not collide and can be renamed
        without changing hashes. If the class inherits the tag, `type` is the name of the class.

    Raises
    ------
    TypeError
        If a dataclass has no `hash_tag`, or a value has another type.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if not _is_omitted(value, f)}
        return {"type": _hash_tag(type(value)), **to_jsonable(fields)}
    if isinstance(value, dict):
        return {str(k): to_jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_jsonable(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} cannot be hashed by content; use JSON types and dataclasses")


def _is_omitted(value: Any, field: dataclasses.Field) -> bool:
    """Whether a field was added later and has its default, so that the hashes of earlier versions are the same."""
    return bool(field.metadata.get("omit_default")) and getattr(value, field.name) == field.default


def _hash_tag(kind: type) -> str:
    """Return the tag that a class itself defines; for an inherited tag, return the name of the class."""
    if not hasattr(kind, "hash_tag"):
        raise TypeError(f"{kind.__name__} cannot be hashed by content: define its hash_tag")
    return kind.__dict__.get("hash_tag", kind.__name__)


def content_hash(value: Any, length: int = 12) -> str:
    """Hash a value by its content.

    Parameters
    ----------
    value : Any
        See `to_jsonable`.
    length : int, default=12
        Number of hexadecimal digits, at most 64.

    Returns
    -------
    str
        Leading digits of the SHA-256 digest, equal in every process.

    Examples
    --------
    >>> content_hash({"b": 1, "a": 2}) == content_hash({"a": 2, "b": 1})
    True
    """
    text = json.dumps(to_jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def flatten(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the values of nested mappings with their dotted names.

    Parameters
    ----------
    values : mapping of str to Any
    before : str, default=""
        Prefix of the names.

    Yields
    ------
    (str, Any)
        Dotted name and value.

    Examples
    --------
    >>> list(flatten({"head": {"kind": "mlp"}, "seed": 0}))
    [('head.kind', 'mlp'), ('seed', 0)]
    """
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
