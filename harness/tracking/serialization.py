"""A record in MLflow's terms: tags, params and metrics, and the way back from tags."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from harness.tracking.records import Record, from_json, to_json
from harness.utils.hashing import flatten

RECORD_TAG, JOB_TAG, STUDY_TAG, WRITER_TAG = (
    "framelight.record",
    "framelight.job_id",
    "framelight.study",
    "framelight.writer",
)
TRAINING_TAG = "framelight.training"
APPEND_COUNTER = "appended"
"""The metric that has a point for each time that curves of a run were appended to."""
MAX_TAG_LENGTH = 5000
"""Characters of a record in one tag. MLflow cuts longer values silently (at 5,000 to 8,000, by version)."""

RunTags = list[tuple[str, str, dict[str, str]]]
"""Runs as the leaderboard needs them: (run id, MLflow status, tags)."""

MetricPoint = tuple[str, float, int]
"""A metric's (name, value, step)."""

MLFLOW_STATUS = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}


def tags(record: Record) -> dict[str, str]:
    """Tags of a run, the light record among them, in as many pieces as its length needs."""
    text = to_json(record.light())
    pieces = [text[i : i + MAX_TAG_LENGTH] for i in range(0, len(text), MAX_TAG_LENGTH)]
    named = {RECORD_TAG if i == 0 else f"{RECORD_TAG}.{i + 1}": piece for i, piece in enumerate(pieces)}
    named |= {
        JOB_TAG: record.job_id,
        "framelight.group_id": record.group_id,
        "framelight.kind": record.kind,
        "framelight.task": record.task,
        "framelight.recipe": record.recipe,
    }
    named |= environment_tags(record.environment)
    if record.error:
        named |= {
            "framelight.error": record.error[:MAX_TAG_LENGTH],
            "mlflow.note.content": record.error[:MAX_TAG_LENGTH],
        }
    return named


def environment_tags(environment: Mapping[str, Any]) -> dict[str, str]:
    named = {f"environment.{key}": _to_text(value)[:MAX_TAG_LENGTH] for key, value in environment.items()}
    if environment.get("git_commit"):
        named["mlflow.source.git.commit"] = str(environment["git_commit"])
    return named


def record_from_tags(run_tags: Mapping[str, str], where: str) -> Record | None:
    """The light record in a run's tags; None when Framelight did not log the run."""
    if RECORD_TAG not in run_tags:
        return None
    pieces = [run_tags[RECORD_TAG]]
    while (key := f"{RECORD_TAG}.{len(pieces) + 1}") in run_tags:
        pieces.append(run_tags[key])
    return from_json("".join(pieces), where)


def params(record: Record) -> dict[str, str]:
    """What a reader filters and compares by in the MLflow UI; nested settings have dotted names."""
    own = (
        "task",
        "dataset",
        "data_digest",
        "split",
        "protocol",
        "backbone",
        "backbone_weights",
        "weights_hash",
        "parameters",
        "features",
        "head",
        "kernel",
        "radius",
        "thresholds",
        "epoch",
        "seed",
        "metric",
        "units",
    )
    flat = {name: getattr(record, name) for name in own}
    return {name: _to_text(value) for name, value in flat.items()} | flatten_params(record.config, "config.")


def flatten_params(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings as params with dotted names."""
    return {name: _to_text(value) for name, value in flatten(values, prefix)}


def metrics(record: Record) -> list[MetricPoint]:
    """(name, value, step): final scores once at step 0, the smoothing curve with step = radius in frames.

    Score names are those of the contract for the reported split; those of the selection split have the prefix
    `selection/`, so that no name mixes splits. The split and the protocol are params and tags too.
    """
    from harness.data.splits import SELECTION  # numpy is not imported to read records

    prefix = "selection/" if record.split == SELECTION else ""
    own = {**record.metrics, **{f"unsmoothed/{name}": value for name, value in record.unsmoothed.items()}}
    own |= {name: getattr(record, name) for name in ("coverage", "ci_low", "ci_high", "annotated", "scored")}
    final = {f"{prefix}{name}": value for name, value in own.items()}
    final |= {f"selection/{name}": value for name, value in record.selection.items()}
    final |= {f"seconds/{stage}": value for stage, value in record.duration.items()}
    listed = [(name, value, 0) for name, value in final.items()]
    for kernel, columns in record.curve.items():
        for source, suffix in (("reported", record.metric), ("selected", f"selection/{record.metric}")):
            radii, values = columns["radius"], columns.get(source) or ()
            listed += [(f"curve/{kernel}/{suffix}", value, int(r)) for r, value in zip(radii, values)]
    return [(name, float(value), step) for name, value, step in listed if value is not None and math.isfinite(value)]


def total_seconds(record: Record) -> float:
    """Time the job took: its `total`, or the sum of its stages."""
    return float(record.duration.get("total", math.fsum(record.duration.values())))


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
