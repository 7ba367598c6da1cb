"""The round trip on a labelled split: what the files say is scored, and must equal memory and the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.data.dataset import Labels
from harness.errors import FramelightError, InputError
from harness.jobs.predictions import Predictions
from harness.records import Record
from harness.statistics import collect, score
from harness.submission.files import Decoded
from harness.submission.rows import Rows
from harness.tasks import EXPRESSIONS, Task

TOLERANCE = 1e-6
"""By which a record's metric may differ: valence and arousal are written as float32."""


@dataclass(frozen=True)
class RoundTrip:
    """metric: the task's; files, memory: its value from the files and from memory; record: the run's own, None where
    the run was scored on other data or another split; frames: rows scored."""

    metric: str
    files: float
    memory: float
    record: float | None
    frames: int


def require_equal(task: Task, read_back: Decoded, decoded: Decoded) -> None:
    """FramelightError where a file holds another prediction than memory, bit by bit."""
    for output in task.outputs:
        written, meant = read_back[output.name], decoded[output.name]
        if written.dtype != meant.dtype or not np.array_equal(written, meant):
            raise FramelightError(f"the written {output.name} predictions read back differ from those in memory; "
                                  "nothing was kept; this is a defect of Framelight")


def round_trip(task: Task, labels: Labels, predictions: Predictions, rows: Rows, read_back: Decoded, decoded: Decoded,
               missing: str, record: Record | None) -> RoundTrip:
    """Score files and memory on the rows that the run itself is scored on.

    missing: as of `Recipe`; record: the run's, where it is of this split and data. InputError for a labelled frame
    that has no line; FramelightError for a score that is not the same.
    """
    valid = np.logical_or.reduce(list(task.valid(labels.targets).values()))
    scored = labels.take(np.flatnonzero(valid & ((missing == "filled") | (predictions.locate(labels) >= 0))))
    if not len(scored):
        raise InputError("no frame of this split has a valid label and a crop, so the files cannot be scored")
    at = rows.position(scored.sequences, scored.sequence, scored.frame)
    if (at < 0).any():
        row = int(np.argmax(at < 0))
        raise InputError(f"video '{scored.sequences[scored.sequence[row]]}' is labelled at frame "
                         f"{scored.frame[row]:,}, but its file ends before; correct its count of frames")
    files, memory = (_value(task, scored, {name: values[at] for name, values in said.items()})
                     for said in (read_back, decoded))
    known = None if record is None else record.metrics[task.metric]
    if files != memory:
        raise FramelightError(f"{task.metric} is {files} from the files and {memory} from memory; nothing was kept; "
                              "this is a defect of Framelight")
    if known is not None and abs(files - known) > TOLERANCE:
        raise FramelightError(f"{task.metric} is {files:.6f} from the files, but the record of the run says "
                              f"{known:.6f}; nothing was kept: its model does not predict here what it did there")
    return RoundTrip(task.metric, files, memory, known, len(scored))


def _value(task: Task, labels: Labels, decoded: Mapping[str, np.ndarray]) -> float:
    blocks = [np.eye(len(EXPRESSIONS))[decoded["expr"]] if output.name == "expr" else decoded[output.name]
              for output in task.outputs]
    outputs = np.concatenate(blocks, axis=1, dtype=np.float64)
    counted = collect(task, outputs, labels.targets, np.zeros(len(labels), np.int64), 1)
    return score(counted).metrics[task.metric]
