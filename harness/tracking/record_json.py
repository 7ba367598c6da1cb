"""Read and write records as JSON documents, including documents from untrusted sources."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from harness.tracking.record_schema import FIELDS
from harness.tracking.records import Record, to_builtin
from harness.utils.errors import FramelightError
from harness.utils.files import write_text
from harness.utils.json_checks import find_faults, is_count, shorten_value
from harness.utils.json_text import parse_json

SCHEMA = 2
"""Version of the record schema. Increase it with each new field, so that earlier versions of Framelight recognize newer
records."""
OLDEST_SCHEMA = 1
"""Oldest version that is read; fields that it lacks have their default values."""
MAX_FAULTS = 3
"""Maximum number of wrong fields that a message names."""
_NO_DEFAULT = object()
_DEFAULTS = {
    f.name: f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
    for f in dataclasses.fields(Record)
    if f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
}
_REQUIRED = FIELDS.keys() - _DEFAULTS.keys()


def to_json(record: Record, indent: int | None = None) -> str:
    """Serialize a record as JSON with sorted keys; equal records have equal text.

    Parameters
    ----------
    record : Record
        The record.
    indent : int, optional
        Indentation. Default: compact, without the fields that have their default value.
    """
    values = {f.name: getattr(record, f.name) for f in dataclasses.fields(record)}
    if indent is None:
        values = {name: value for name, value in values.items() if value != _DEFAULTS.get(name, _NO_DEFAULT)}
    separators = (",", ":") if indent is None else None
    return json.dumps(
        {"schema": SCHEMA, **values},
        indent=indent,
        separators=separators,
        sort_keys=True,
        allow_nan=False,
        default=to_builtin,
    )


def from_json(text: str, where: str = "record") -> Record:
    """Parse a record.

    Parameters
    ----------
    text : str
        Result of `to_json`.
    where : str
        Origin of the text, for error messages.

    Raises
    ------
    FramelightError
        See `parse`; the message names `where` and says what to do.
    """
    try:
        return parse(text)
    except NewerSchemaError as error:
        raise FramelightError(f"{where}: {error}; upgrade Framelight, or use another store") from error
    except ValueError as error:
        raise FramelightError(f"{where}: {error}; delete it and run its recipe again") from error


class NewerSchemaError(ValueError):
    """Error for a record that a newer version of Framelight has written."""


def parse(text: str | bytes) -> Record:
    """Parse a record from an untrusted source.

    Parameters
    ----------
    text : str or bytes
        Result of `to_json`.

    Returns
    -------
    Record
        A record whose fields have the types of `Record`, and whose ids are valid file names, see `FIELDS`.

    Raises
    ------
    ValueError
        If the text is not valid JSON, the schema version is not supported, or fields are missing, unknown or wrong. The
        message does not name the origin of the text.
    """
    try:
        values = parse_json(text, finite=True)
    except ValueError as error:
        raise ValueError(f"not a record (no valid JSON: {error})") from error
    if not isinstance(values, dict) or not is_count(values.get("schema")):
        raise ValueError("not a record of Framelight")
    schema = values.pop("schema")
    if schema > SCHEMA:
        raise NewerSchemaError(
            f"written by a newer version of Framelight (record schema {schema}; this version reads {SCHEMA})"
        )
    if schema < OLDEST_SCHEMA:
        raise ValueError(f"record schema {schema}, but this version of Framelight reads schemas from {OLDEST_SCHEMA}")
    faults = _find_faults(values)
    if faults:
        raise ValueError(f"fields do not fit record schema {SCHEMA}: {'; '.join(faults[:MAX_FAULTS])}")
    try:
        return Record(**values)
    except FramelightError as error:
        raise ValueError(str(error)) from error


def _find_faults(values: dict[str, Any]) -> list[str]:
    missing, unknown = _REQUIRED - values.keys(), values.keys() - FIELDS.keys()
    return [
        *([f"{', '.join(sorted(missing))} missing"] if missing else []),
        *([f"{', '.join(map(shorten_value, sorted(unknown)[:MAX_FAULTS]))} unknown"] if unknown else []),
        *find_faults({name: value for name, value in values.items() if name in FIELDS}, FIELDS),
    ]


def write(path: Path, record: Record) -> None:
    """Write a record to a file atomically."""
    write_text(path, to_json(record, indent=1) + "\n")


def read(path: Path) -> Record:
    """Read a record from a file; raise FramelightError if it is missing or cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FramelightError(f"{path}: cannot read the record ({error}); run its recipe again") from error
    return from_json(text, str(path))
