"""Records of exported models: one JSON document in the store for each exported file.

The path of a document is `<store>/artifacts/exports/<job_id>/<format>-<precision>.json`. This module does not import
torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.utils.files import write_json
from harness.utils.json_checks import Check, find_faults, is_count, is_number, is_text, mapping_of, optional
from harness.utils.json_text import read_json
from harness.utils.names import is_id
from harness.utils.store import Store

SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class ExportRecord:
    """Cost, parity and score of one exported file of one job.

    The sufficient statistics of the score, by video, are saved next to the document as `<format>-<precision>.npz`.

    Attributes
    ----------
    job_id, group_id, task : str
        The exported job.
    format, precision : str
        Export format, and precision of its weights.
    file : str
        Name of the file.
    sha256 : str
        Hash of the file, or of all files if the format has several.
    size : int
        Size in bytes, of all files.
    parameters : int
        Number of parameters.
    macs : int or None
        Multiply-accumulate operations of one crop; None if they cannot be counted.
    device : str
        Processor that the latency was measured on.
    versions : mapping of str to str
        Versions of the packages involved.
    latency : mapping
        Latency of one crop after warm-up: for each number of threads ("1", "2"), `median` and `p95` in milliseconds.
    memory : float or None
        Peak resident memory, in MiB, of a process that loads and runs the file.
    metric : str
        Name of the task's metric.
    value : float or None
        Metric of this file's predictions on the reported split, with the run's smoothing and thresholds.
    run_value : float or None
        The same metric in the record of the run.
    largest : float or None
        Largest absolute difference between an output of the file and the saved prediction of the run.
    agreement : float or None
        Share of predicted labels that are the same for the file and the run, averaged over the outputs of the task. The
        labels are the expression, each action unit and the quadrant of valence and arousal. None if the task has none.
    crops : int
        Number of crops compared.
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


def write(store: Store, exported: ExportRecord) -> Path:
    """Write a record to the store and return its path."""
    path = store.exported(exported.job_id) / f"{exported.format}-{exported.precision}.json"
    write_json(path, {"schema": SCHEMA, **dataclasses.asdict(exported)})
    return path


def read_exports(store: Store) -> Iterator[ExportRecord]:
    """Iterate over the export records of a store, ordered by job, format and precision.

    Documents that cannot be read or have another schema are skipped; exporting again rewrites them.
    """
    for path in sorted(store.exports.glob("*/*.json")):
        record = _read(path)
        if record is not None:
            yield record


def _read(path: Path) -> ExportRecord | None:
    try:
        values = read_json(path)
    except (OSError, ValueError):
        return None
    if not isinstance(values, dict) or values.pop("schema", None) != SCHEMA or not values.keys() <= FIELDS.keys():
        return None
    if find_faults(values, FIELDS) or values.get("job_id") != path.parent.name:
        return None
    try:
        return ExportRecord(**values)
    except TypeError:  # fields are missing
        return None


_ID: Check = (is_id, "an id")
_TEXT: Check = (is_text, "text")
_COUNT: Check = (is_count, "a whole number from 0")
_NUMBER: Check = (optional(is_number), "a number")
FIELDS: Mapping[str, Check] = {
    "job_id": _ID,
    "group_id": _ID,
    "format": _ID,
    "precision": _ID,
    "sha256": _ID,
    "task": _TEXT,
    "file": _TEXT,
    "device": _TEXT,
    "metric": _TEXT,
    "size": _COUNT,
    "parameters": _COUNT,
    "crops": _COUNT,
    "macs": (optional(is_count), "a whole number from 0"),
    "versions": (mapping_of(is_text), "versions by package"),
    "latency": (mapping_of(mapping_of(is_number)), "milliseconds by number of threads"),
    "memory": _NUMBER,
    "value": _NUMBER,
    "run_value": _NUMBER,
    "largest": _NUMBER,
    "agreement": _NUMBER,
}
"""For each field of an `ExportRecord`: the check of its value in JSON and, for the message, what the value must be."""
