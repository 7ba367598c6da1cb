"""What is known of exported models: one JSON document for each file, in the store, by job. Torch-free.

<store>/artifacts/exports/<job_id>/<format>-<precision>.json
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.utils.files import write_json
from harness.utils.store import Store

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class ExportRecord:
    """One exported file of one job: what it costs here, how far it is from the run, and its own score.

    sha256, size: of the file (bytes; of all its parts where a format has several). parameters; macs: of one crop, None
    where they cannot be counted. device: the processor that it was measured on, in words. latency: milliseconds of one
    crop, warm, by threads ("1", "2"): {"median": .., "p95": ..}; memory: peak resident MiB of a process that loads
    and runs it. largest: difference of an output from the run's kept predictions; agreement: share of crops with equal
    labels (expression, each action unit; for valence and arousal the quadrant), None where the task has no labels;
    value: the task's metric of this file's predictions on the reported split, with the run's smoothing and thresholds;
    run_value: the record's. crops: how many were predicted. statistics: per-video statistics of that score lie beside
    this document as `<format>-<precision>.npz`.
    """

    job_id: str
    group_id: str
    task: str
    format: str
    precision: str
    file: str
    sha256: str
    size: int
    parameters: int
    macs: int | None
    device: str
    versions: Mapping[str, str] = field(default_factory=dict)
    latency: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    memory: float | None = None
    metric: str = ""
    value: float | None = None
    run_value: float | None = None
    largest: float | None = None
    agreement: float | None = None
    crops: int = 0


def export_folder(store: Store, job_id: str) -> Path:
    return store.exports / job_id


def write(store: Store, exported: ExportRecord) -> Path:
    path = export_folder(store, exported.job_id) / f"{exported.format}-{exported.precision}.json"
    write_json(path, {"schema": SCHEMA, **dataclasses.asdict(exported)})
    return path


def read_exports(store: Store) -> Iterator[ExportRecord]:
    """Those in a store, by job, format and precision; a document that cannot be read or of another version is passed
    over: exporting again writes it.
    """
    for path in sorted(store.exports.glob("*/*.json")):
        found = _read(path)
        if found is not None:
            yield found


def _read(path: Path) -> ExportRecord | None:
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return ExportRecord(**values) if values.pop("schema", None) == SCHEMA else None
    except (OSError, ValueError, TypeError, AttributeError):
        return None
