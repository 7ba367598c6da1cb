"""Check that the files for a labeled split give the same score as the predictions in memory and as the run's record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.data.dataset import Labels
from harness.inference.submission.files import Decoded
from harness.inference.submission.rows import Rows
from harness.jobs.predictions import Predictions
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import EXPRESSIONS, Task
from harness.metrics.unit_statistics import compute_statistics
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError

TOLERANCE = 1e-6
"""Allowed difference from the score in the record, since the files have valence and arousal only as float32."""

ROUNDING = 1e-3
"""Allowed difference from the outputs that the run saved. Other processors round differently, which changes decisions
between nearly equal classes. Outputs of another model differ by far more."""


@dataclass(frozen=True)
class StoredResult:
    """Record and saved predictions of a run for the same split and data.

    Attributes
    ----------
    record : Record
    predictions : Predictions
    """

    record: Record
    predictions: Predictions


@dataclass(frozen=True)
class RoundTrip:
    """Result of a round trip.

    Attributes
    ----------
    metric : str
        Metric of the task.
    files, memory : float
        Value of the metric from the files and from memory.
    record : float or None
        Value of the metric in the run's record; None if the run was scored on other data or another split.
    frames : int
        Number of scored rows.
    moved : float
        Largest absolute difference from the outputs that the run saved. 0 if the run saved none for this split and
        data; infinite if the crops differ.
    """

    metric: str
    files: float
    memory: float
    record: float | None
    frames: int
    moved: float = 0.0


def require_equal(task: Task, read_back: Decoded, decoded: Decoded) -> None:
    """Raise FramelightError if predictions read from the files differ from those in memory in value or type."""
    for output in task.outputs:
        from_files, in_memory = read_back[output.name], decoded[output.name]
        if from_files.dtype != in_memory.dtype or not np.array_equal(from_files, in_memory):
            raise FramelightError(
                f"the {output.name} predictions read back from the files differ from those in memory; "
                "nothing was written; this is a bug in Framelight, please report it"
            )


def round_trip(  # noqa: PLR0913 - each is compared or describes the rows
    task: Task,
    labels: Labels,
    predictions: Predictions,
    rows: Rows,
    read_back: Decoded,
    decoded: Decoded,
    missing: str,
    stored: StoredResult | None,
) -> RoundTrip:
    """Score the predictions from the files and from memory on the rows on which runs are scored.

    Parameters
    ----------
    task : Task
    labels : Labels
        Labels of the split.
    predictions : Predictions
        Outputs before smoothing.
    rows : Rows
        Rows of the submission.
    read_back, decoded : mapping of str to ndarray
        Predictions from the files and from memory, by output.
    missing : {"filled", "dropped"}
        See `Recipe`.
    stored : StoredResult or None
        The run's results, if they are for this split and data.

    Raises
    ------
    InputError
        If no row can be scored, or a labeled frame has no row in the submission.
    FramelightError
        If the scores from the files and from memory differ. Also if both the score and the outputs differ from those
        of the run by more than is allowed.
    """
    valid = np.logical_or.reduce(list(task.valid(labels.targets).values()))
    scored = labels.take(np.flatnonzero(valid & ((missing == "filled") | (predictions.index_of(labels) >= 0))))
    if not len(scored):
        raise InputError(
            "no frame of this split has a valid label and a crop, so the files cannot be scored; check the dataset"
        )
    at = rows.position(scored.sequences, scored.sequence, scored.frame)
    if (at < 0).any():
        row = int(np.argmax(at < 0))
        raise InputError(
            f"video '{scored.sequences[scored.sequence[row]]}' has a label at frame {scored.frame[row]:,}, but its "
            "file of the submission ends before that frame; correct the number of frames of this video"
        )
    files, memory = (
        _metric_value(task, scored, {name: values[at] for name, values in source.items()})
        for source in (read_back, decoded)
    )
    recorded, moved = (
        (None, 0.0)
        if stored is None
        else (stored.record.metrics[task.metric], _max_difference(predictions, stored.predictions))
    )
    if files != memory:
        raise FramelightError(
            f"{task.metric} is {files} from the files and {memory} from memory; nothing was written; "
            "this is a bug in Framelight, please report it"
        )
    if recorded is not None and abs(files - recorded) > TOLERANCE and moved > ROUNDING:
        raise FramelightError(
            f"{task.metric} is {files:z.6f} from the files, but {recorded:z.6f} in the record of the run; nothing was "
            "written: the model predicts differently on this machine, so run the recipe again here"
        )
    return RoundTrip(task.metric, files, memory, recorded, len(scored), moved)


def _max_difference(predictions: Predictions, saved: Predictions) -> float:
    """Compute the largest absolute difference between outputs; infinite if the crops differ."""
    slices = dict(zip(saved.sequences, saved.slices(np.arange(len(saved.sequences)))))
    rows = [np.arange(len(saved.frames))[slices.get(name, slice(0))] for name in predictions.sequences]
    at = np.concatenate([np.zeros(0, np.int64), *rows])
    if not np.array_equal(saved.frames[at], predictions.frames):
        return float("inf")
    return float(np.abs(saved.outputs[at] - predictions.outputs).max(initial=0.0))


def _metric_value(task: Task, labels: Labels, decoded: Mapping[str, np.ndarray]) -> float:
    blocks = [
        np.eye(len(EXPRESSIONS))[decoded["expr"]] if output.name == "expr" else decoded[output.name]
        for output in task.outputs
    ]
    outputs = np.concatenate(blocks, axis=1, dtype=np.float64)
    statistics = compute_statistics(task, outputs, labels.targets, np.zeros(len(labels), np.int64), 1)
    return score(statistics).metrics[task.metric]
