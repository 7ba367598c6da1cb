"""What a finished job leaves: its scores, its choices and where they come from, as one JSON document.

A job's identity is its content. `group_id` is the digest of everything but the seed (config, data, weights);
`job_id` adds the seed. Names inside a record are labels for readers, never keys.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.utils.errors import FramelightError
from harness.utils.files import write_text

SCHEMA = 1
KINDS = ("run", "baseline", "published", "trial")
"""A trial is a step of a search: it is scored on the selection split only, and is on no leaderboard."""
STATUSES = ("finished", "failed", "pruned")
FLAGS = {"uses_labels": "reads labels of the reported split", "own_scores": "features hold scores of what is predicted"}
"""What a reader must know of a result, and why."""
_TUPLE_FIELDS = ("thresholds", "expected_seeds", "undefined", "flags")
_SCORE_FIELDS = ("metrics", "unsmoothed", "selection")


@dataclass(frozen=True, kw_only=True)
class DisplayLabels:
    """What a result is shown by.

    expected_seeds: those that the recipe asks for; flags: of FLAGS.
    """

    dataset: str
    expected_seeds: tuple[int, ...]
    backbone: str = ""
    backbone_weights: str = ""
    backbone_random: bool = False
    weights_hash: str = ""
    flags: tuple[str, ...] = ()
    recipe: str = ""

    def display_labels(self) -> dict[str, Any]:
        """The fields above by name."""
        return {part.name: getattr(self, part.name) for part in dataclasses.fields(DisplayLabels)}


@dataclass(frozen=True, kw_only=True)
class Record(DisplayLabels):
    """One job. Scores are on the reported split with the job's own choice of epoch, thresholds and smoothing.

    unsmoothed: the same scores at radius 0; selection: scores of the choice on the split it was made on.
    undefined: names of metrics that had no defined value and count as 0; coverage: scored / annotated frames.
    parameters: backbone and head together, 0 for a constant; units: number of videos scored, or of what
    `unit` names instead ("subject" for stills).
    curve: {kernel: {"radius": [...], "reported": [...], "selected": [...]}}; duration: seconds by stage.
    ci_low, ci_high: 95 % interval of this seed, resampling videos; config: every other setting of the job.
    Raises FramelightError for a kind or status that does not exist and for a score that is not finite.
    """

    job_id: str
    group_id: str
    kind: str
    task: str
    data_digest: str
    split: str
    protocol: str
    metric: str
    seed: int
    status: str = "finished"
    parameters: int = 0
    features: str = ""
    head: str = ""
    kernel: str = "none"
    radius: int = 0
    thresholds: tuple[float, ...] | None = None
    epoch: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    unsmoothed: Mapping[str, float] = field(default_factory=dict)
    selection: Mapping[str, float] = field(default_factory=dict)
    undefined: tuple[str, ...] = ()
    coverage: float | None = None
    annotated: int = 0
    scored: int = 0
    units: int = 0
    unit: str = "video"
    ci_low: float | None = None
    ci_high: float | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    curve: Mapping[str, Mapping[str, list[float]]] = field(default_factory=dict)
    duration: Mapping[str, float] = field(default_factory=dict)
    environment: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None

    def __post_init__(self) -> None:
        for name in _TUPLE_FIELDS:
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(_to_builtin(value)))
        if self.kind not in KINDS or self.status not in STATUSES:
            raise FramelightError(
                f"record {self.job_id}: kind '{self.kind}' or status '{self.status}' does not exist; "
                f"kinds: {', '.join(KINDS)}; statuses: {', '.join(STATUSES)}"
            )
        for name in _SCORE_FIELDS:
            wrong = [key for key, value in getattr(self, name).items() if not math.isfinite(value)]
            if wrong:
                raise FramelightError(
                    f"record {self.job_id}: {name} {', '.join(wrong)} not finite; "
                    "an undefined metric counts as 0 and is named in `undefined`"
                )
        if self.status == "finished" and self.metric not in self.metrics:
            raise FramelightError(f"record {self.job_id}: finished without its metric {self.metric}")

    def light(self) -> Record:
        """The record without what no leaderboard reads: curves, environment, durations."""
        return dataclasses.replace(self, curve={}, environment={}, duration={})


def _to_builtin(value: Any) -> Any:
    """Numpy scalars and arrays as Python's own."""
    return value.tolist() if hasattr(value, "tolist") else value


def to_json(record: Record, indent: int | None = None) -> str:
    """The record as JSON with sorted keys; equal records give equal text. Fields at their default are left out
    when `indent` is None (the compact form).
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
        default=_to_builtin,
    )


def from_json(text: str, where: str = "record") -> Record:
    """The record of a JSON text; `where` names its origin in errors.

    Raises FramelightError for broken JSON, a schema of another version and missing or unknown fields.
    """
    try:
        values = json.loads(text)
    except ValueError as error:
        raise FramelightError(f"{where}: not a record ({error}); delete it and run its recipe again") from error
    if not isinstance(values, dict) or "schema" not in values:
        raise FramelightError(f"{where}: not a record of Framelight; delete it and run its recipe again")
    schema = values.pop("schema")
    if schema != SCHEMA:
        raise FramelightError(
            f"{where}: record schema {schema}, but this Framelight reads schema {SCHEMA}; "
            "use the version that wrote it, or another store"
        )
    try:
        return Record(**values)
    except TypeError as error:
        raise FramelightError(
            f"{where}: fields do not fit record schema {SCHEMA} ({error}); delete it and run its recipe again"
        ) from error


def write(path: Path, record: Record) -> None:
    """Write aside and rename: a reader meets a whole record or none."""
    write_text(path, to_json(record, indent=1) + "\n")


def read(path: Path) -> Record:
    """The record in a file; FramelightError when there is none or it cannot be read."""
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise FramelightError(f"{path}: cannot read the record ({error}); run its recipe again") from error
    return from_json(text, str(path))


_NO_DEFAULT = object()
_DEFAULTS = {
    f.name: f.default_factory() if f.default_factory is not dataclasses.MISSING else f.default
    for f in dataclasses.fields(Record)
    if f.default is not dataclasses.MISSING or f.default_factory is not dataclasses.MISSING
}
