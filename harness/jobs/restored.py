"""The configuration of a job from its record."""

from __future__ import annotations

from typing import Any

from harness.data.protocol import Protocol
from harness.jobs.job import Configuration
from harness.smoothing.candidates import Smoothing
from harness.tracking.records import Record
from harness.training.heads.config import HeadConfig, Part
from harness.utils.errors import FramelightError

TYPES = {kind.hash_tag: kind for kind in (Configuration, HeadConfig, Part, Protocol, Smoothing)}


def configuration_of(record: Record) -> Configuration:
    """The configuration a record was made with; FramelightError where this version has no such configurations."""
    made = _made(record.config)
    if not isinstance(made, Configuration) or made.group_id != record.group_id:
        raise FramelightError(f"run {record.group_id} was made by another version of Framelight, whose settings this "
                              "one does not know; run its recipe again")
    return made


def _made(value: Any) -> Any:
    """The inverse of `harness.utils.hashing.plain`; None for what does not fit."""
    if isinstance(value, dict):
        fields = {name: _made(part) for name, part in value.items() if name != "type"}
        try:
            return TYPES[value["type"]](**fields)
        except (KeyError, TypeError):
            return None
    return tuple(map(_made, value)) if isinstance(value, list) else value
