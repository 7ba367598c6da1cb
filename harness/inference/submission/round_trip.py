"""The round trip on a labelled split: what the files say is scored, and must equal memory and the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.data.dataset import Labels
from harness.inference.submission.files import Decoded
from harness.inference.submission.rows import Rows
from harness.jobs.predictions import Predictions
from harness.metrics.tasks import EXPRESSIONS, Task
from harness.metrics.unit_statistics import compute_statistics, score
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError

TOLERANCE = 1e-6
"""By which a record's metric may differ: valence and arousal are written as float32."""

ROUNDING = 1e-3
"""By which outputs may differ from those kept with the run: another processor rounds otherwise, and so decides
otherwise where two classes are as good as equal. Another model differs by far more."""


@dataclass(frozen=True)
class StoredResult:
    """A run's record of the very split and data that are written, and what it predicted of them."""

    record: Record
    kept: Predictions


@dataclass(frozen=True)
class RoundTrip:
    """metric: the task's; files, memory: its value from the files and from memory; record: the run's own, None where
    the run was scored on other data or another split; frames: rows scored; moved: largest difference of an output from
    the run's own.
    """

    metric: str
    files: float
    memory: float
    record: float | None
    frames: int
    moved: float = 0.0


def require_equal(task: Task, read_back: Decoded, decoded: Decoded) -> None:
    """FramelightError where a file holds another prediction than memory, bit by bit."""
    for output in task.outputs:
        written, meant = read_back[output.name], decoded[output.name]
        if written.dtype != meant.dtype or not np.array_equal(written, meant):
            raise FramelightError(
                f"the written {output.name} predictions read back differ from those in memory; "
                "nothing was kept; this is a defect of Framelight"
            )


def round_trip(  # noqa: PLR0913 - what is compared with what
    task: Task,
    labels: Labels,
    predictions: Predictions,
    rows: Rows,
    read_back: Decoded,
    decoded: Decoded,
    missing: str,
    own: StoredResult | None,
) -> RoundTrip:
    """Score files and memory on the rows that the run itself is scored on.

    missing: see `Recipe`; own: what the run left, where it is of this split and data. InputError for a labelled frame
    that has no line; FramelightError for a score that is not the same.
    """
    valid = np.logical_or.reduce(list(task.valid(labels.targets).values()))
    scored = labels.take(np.flatnonzero(valid & ((missing == "filled") | (predictions.index_of(labels) >= 0))))
    if not len(scored):
        raise InputError("no frame of this split has a valid label and a crop, so the files cannot be scored")
    at = rows.position(scored.sequences, scored.sequence, scored.frame)
    if (at < 0).any():
        row = int(np.argmax(at < 0))
        raise InputError(
            f"video '{scored.sequences[scored.sequence[row]]}' is labelled at frame "
            f"{scored.frame[row]:,}, but its file ends before; correct its count of frames"
        )
    files, memory = (
        _metric_value(task, scored, {name: values[at] for name, values in said.items()})
        for said in (read_back, decoded)
    )
    known, moved = (
        (None, 0.0) if own is None else (own.record.metrics[task.metric], _max_difference(predictions, own.kept))
    )
    if files != memory:
        raise FramelightError(
            f"{task.metric} is {files} from the files and {memory} from memory; nothing was kept; "
            "this is a defect of Framelight"
        )
    if known is not None and abs(files - known) > TOLERANCE and moved > ROUNDING:
        raise FramelightError(
            f"{task.metric} is {files:.6f} from the files, but the record of the run says "
            f"{known:.6f}; nothing was kept: its model does not predict here what it did there"
        )
    return RoundTrip(task.metric, files, memory, known, len(scored), moved)


def _max_difference(predictions: Predictions, kept: Predictions) -> float:
    """Largest difference of an output; infinite where other crops were predicted."""
    places = {name: own for name, own in zip(kept.sequences, kept.slices(np.arange(len(kept.sequences))))}
    rows = [np.arange(len(kept.frames))[places.get(name, slice(0))] for name in predictions.sequences]
    at = np.concatenate([np.zeros(0, np.int64), *rows])
    if not np.array_equal(kept.frames[at], predictions.frames):
        return float("inf")
    return float(np.abs(kept.outputs[at] - predictions.outputs).max(initial=0.0))


def _metric_value(task: Task, labels: Labels, decoded: Mapping[str, np.ndarray]) -> float:
    blocks = [
        np.eye(len(EXPRESSIONS))[decoded["expr"]] if output.name == "expr" else decoded[output.name]
        for output in task.outputs
    ]
    outputs = np.concatenate(blocks, axis=1, dtype=np.float64)
    counted = compute_statistics(task, outputs, labels.targets, np.zeros(len(labels), np.int64), 1)
    return score(counted).metrics[task.metric]
