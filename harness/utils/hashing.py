"""Content identity: the hash that keys jobs, feature entries and checkpoints."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any


def to_jsonable(value: Any) -> Any:
    """`value` as JSON types.

    A dataclass carries its `hash_tag`, so that two kinds never collide and a class may be renamed without changing
    the ids it is part of. Raises TypeError for a dataclass that defines no tag.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {f.name: to_jsonable(getattr(value, f.name)) for f in dataclasses.fields(value)}
        return {"type": _hash_tag(type(value)), **fields}
    if isinstance(value, dict):
        return {str(k): to_jsonable(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_jsonable(v) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"{type(value).__name__} has no content identity")


def _hash_tag(kind: type) -> str:
    """Return the tag that the class itself defines; a subclass without one has its name, so that the two differ."""
    if not hasattr(kind, "hash_tag"):
        raise TypeError(f"{kind.__name__} has no content identity: it defines no hash_tag")
    return kind.__dict__.get("hash_tag", kind.__name__)


def content_hash(value: Any, length: int = 12) -> str:
    """Hex digest of `value` (dataclasses and JSON types), equal in every process."""
    text = json.dumps(to_jsonable(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:length]


def flatten(values: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """The settings of nested mappings by dotted names."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flatten(value, f"{before}{name}.")
        else:
            yield f"{before}{name}", value
