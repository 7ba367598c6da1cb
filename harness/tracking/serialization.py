"""Convert records to MLflow tags, params and metrics, and tags back to records."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from harness.tracking.record_json import parse, to_json
from harness.tracking.records import Record
from harness.utils.hashing import flatten

RECORD_TAG, JOB_TAG, STUDY_TAG, WRITER_TAG = (
    "framelight.record",
    "framelight.job_id",
    "framelight.study",
    "framelight.writer",
)
TRAINING_TAG = "framelight.training"
APPEND_COUNTER = "appended"
"""Metric with one point for each call that appended to the curves of a run."""
MAX_TAG_LENGTH = 5000
"""Maximum number of characters of a tag. MLflow truncates longer values silently (at 5,000 to 8,000, by version)."""

RunTags = list[tuple[str, str, dict[str, str]]]
"""(run id, MLflow status, tags) of each run."""

MetricPoint = tuple[str, float, int]
"""(name, value, step) of a metric."""

MLFLOW_STATUS = {"finished": "FINISHED", "failed": "FAILED", "pruned": "KILLED"}


def tags(record: Record) -> dict[str, str]:
    """Return the tags of a job's run; the record (see `Record.light`) is split over as many tags as it needs."""
    text = to_json(record.light())
    pieces = [text[i : i + MAX_TAG_LENGTH] for i in range(0, len(text), MAX_TAG_LENGTH)]
    run_tags = {RECORD_TAG if i == 0 else f"{RECORD_TAG}.{i + 1}": piece for i, piece in enumerate(pieces)}
    run_tags |= {
        JOB_TAG: record.job_id,
        "framelight.group_id": record.group_id,
        "framelight.kind": record.kind,
        "framelight.task": record.task,
        "framelight.recipe": record.recipe,
    }
    run_tags |= environment_tags(record.environment)
    if record.error:
        run_tags |= {
            "framelight.error": record.error[:MAX_TAG_LENGTH],
            "mlflow.note.content": record.error[:MAX_TAG_LENGTH],
        }
    return run_tags


def environment_tags(environment: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags of an environment, see `harness.tracking.environment`."""
    run_tags = {f"environment.{key}": _to_text(value)[:MAX_TAG_LENGTH] for key, value in environment.items()}
    if environment.get("git_commit"):
        run_tags["mlflow.source.git.commit"] = str(environment["git_commit"])
    return run_tags


def record_from_tags(run_tags: Mapping[str, Any]) -> Record | None:
    """Parse the record (see `Record.light`) in the tags of a run; None if Framelight did not log the run.

    Parameters
    ----------
    run_tags : mapping of str to str
        Tags of the run, from an untrusted source.

    Raises
    ------
    ValueError
        See `harness.tracking.record_json.parse`.
    """
    if RECORD_TAG not in run_tags:
        return None
    pieces = [run_tags[RECORD_TAG]]
    while (key := f"{RECORD_TAG}.{len(pieces) + 1}") in run_tags:
        pieces.append(run_tags[key])
    if not all(isinstance(piece, str) for piece in pieces):
        raise ValueError("not a record (its tag is not text)")
    return parse("".join(pieces))


def record_of_job(run_tags: Mapping[str, Any]) -> Record | None:
    """Parse the record of a run; None if it cannot be read, or if its job id differs from the job id in the tags."""
    try:
        record = record_from_tags(run_tags)
    except ValueError:
        return None
    return record if record is not None and record.job_id == run_tags.get(JOB_TAG) else None


def params(record: Record) -> dict[str, str]:
    """Return the params by which runs can be filtered in the MLflow UI; nested settings have dotted names."""
    names = (
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
    values = {name: _to_text(getattr(record, name)) for name in names}
    return values | flatten_params(record.config, "config.")


def flatten_params(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Convert nested settings to params with dotted names."""
    return {name: _to_text(value) for name, value in flatten(values, prefix)}


def metrics(record: Record) -> list[MetricPoint]:
    """Return the metrics of a run.

    Scores have step 0. In a smoothing curve, the step is the radius in frames. Names of scores on the selection split
    begin with `selection/`.
    """
    from harness.data.splits import SELECTION  # late, as reading records does not need numpy

    prefix = "selection/" if record.split == SELECTION else ""
    scores = {**record.metrics, **{f"unsmoothed/{name}": value for name, value in record.unsmoothed.items()}}
    scores |= {name: getattr(record, name) for name in ("coverage", "ci_low", "ci_high", "annotated", "scored")}
    final = {f"{prefix}{name}": value for name, value in scores.items()}
    final |= {f"selection/{name}": value for name, value in record.selection.items()}
    final |= {f"seconds/{stage}": value for stage, value in record.duration.items()}
    points = [(name, value, 0) for name, value in final.items()]
    for kernel, columns in record.curve.items():
        for source, suffix in (("reported", record.metric), ("selected", f"selection/{record.metric}")):
            radii, values = columns["radius"], columns.get(source) or ()
            points += [(f"curve/{kernel}/{suffix}", value, int(r)) for r, value in zip(radii, values)]
    return [(name, float(value), step) for name, value, step in points if value is not None and math.isfinite(value)]


def total_seconds(record: Record) -> float:
    """Return the seconds that the job took: its `total`, or the sum of its stages."""
    return float(record.duration.get("total", math.fsum(record.duration.values())))


def _to_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)
