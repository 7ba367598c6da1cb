"""Types and ranges of the fields of a record, which are checked where records are read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.utils.json_checks import (
    MAX_LABEL,
    MAX_TEXT,
    Check,
    has_valid,
    is_count,
    is_flag,
    is_json,
    is_label,
    is_number,
    is_share,
    is_text,
    list_of,
    mapping_of,
    optional,
)
from harness.utils.names import ID_RULE, is_id

MAX_ERROR = 100_000
"""Maximum number of characters of an error."""
MAX_SCORE = 1e6
"""Maximum absolute value of a score, so that squares and sums over seeds do not overflow."""
MAX_FRAMES = 10_000
"""Maximum radius of a filter, in frames."""


def _is_hash(value: Any) -> bool:
    return value == "" or is_id(value)


def _is_score(value: Any) -> bool:
    return is_number(value) and abs(value) <= MAX_SCORE


def _is_config(config: Any) -> bool:
    """Whether settings are JSON, and the settings that leaderboards read have the types of `Configuration`."""
    return (
        isinstance(config, dict)
        and is_json(config)
        and has_valid(config, "entry", _is_hash)
        and has_valid(config, "head", optional(_is_head))
        and has_valid(config, "smoothing", _is_smoothing)
        and all(has_valid(config, name, optional(is_text)) for name in ("source", "note", "missing"))
    )


def _is_head(head: Any) -> bool:
    return isinstance(head, dict) and has_valid(head, "parts", list_of(_is_head_part))


def _is_head_part(part: Any) -> bool:
    return isinstance(part, dict) and is_label(part.get("output"))


def _is_smoothing(smoothing: Any) -> bool:
    return (
        isinstance(smoothing, dict)
        and has_valid(smoothing, "kernels", list_of(is_label))
        and has_valid(smoothing, "gaps", is_label)
        and all(has_valid(smoothing, name, _is_radius) for name in ("smallest", "largest"))
    )


def _is_radius(value: Any) -> bool:
    return is_count(value) and value <= MAX_FRAMES


def _is_thresholds(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 12 and all(map(is_number, value))


def _is_error(value: Any) -> bool:
    return value is None or (isinstance(value, str) and len(value) <= MAX_ERROR)


_ID: Check = (is_id, f"an id ({ID_RULE})")
_HASH: Check = (_is_hash, "a hash")
_LABEL: Check = (is_label, f"printable text of at most {MAX_LABEL} characters")
_NAMES: Check = (list_of(is_label), "a list of names")
_TEXT: Check = (is_text, f"text of at most {MAX_TEXT:,} characters")
_COUNT: Check = (is_count, "a whole number from 0")
_SCORES: Check = (mapping_of(_is_score), "scores by name")
_BOUND: Check = (optional(_is_score), "a score")

FIELDS: Mapping[str, Check] = {
    "job_id": _ID,
    "group_id": _ID,
    "data_digest": _HASH,
    "weights_hash": _HASH,
    "split": (is_id, "the name of a split"),
    "protocol": (is_id, "the name of a protocol"),
    "kind": _LABEL,
    "status": _LABEL,
    "task": _LABEL,
    "metric": _LABEL,
    "kernel": _LABEL,
    "features": _LABEL,
    "head": _LABEL,
    "unit": (lambda value: value in ("video", "subject"), "'video' or 'subject'"),
    "dataset": _TEXT,
    "backbone": _TEXT,
    "backbone_weights": _TEXT,
    "recipe": _TEXT,
    "error": (_is_error, f"text of at most {MAX_ERROR:,} characters"),
    "backbone_random": (is_flag, "true or false"),
    "flags": _NAMES,
    "undefined": _NAMES,
    "seed": _COUNT,
    "expected_seeds": (list_of(is_count), "a list of whole numbers from 0"),
    "training": (optional(is_count), "a whole number from 0"),
    "expected_trainings": (list_of(is_count), "a list of whole numbers from 0"),
    "training_group": _HASH,
    "epoch": (optional(is_count), "a whole number from 0"),
    "parameters": _COUNT,
    "annotated": _COUNT,
    "scored": _COUNT,
    "units": _COUNT,
    "radius": (_is_radius, f"a whole number from 0 to {MAX_FRAMES:,}"),
    "thresholds": (optional(_is_thresholds), "12 numbers"),
    "coverage": (optional(is_share), "a number from 0 to 1"),
    "ci_low": _BOUND,
    "ci_high": _BOUND,
    "metrics": _SCORES,
    "unsmoothed": _SCORES,
    "selection": _SCORES,
    "config": (_is_config, "the settings of a job"),
    "curve": (mapping_of(mapping_of(list_of(is_number))), "curves by kernel"),
    "duration": (mapping_of(is_number), "seconds by stage"),
    "environment": (mapping_of(is_json), "JSON values by name"),
    "code": (mapping_of(is_json), "JSON values by name"),
}
"""Check of each field of `harness.tracking.records.Record`, as a JSON value."""
