"""The baseline that repeats the previous label: how far the smoothness of the annotations alone would lead.

It reads the labels that it is scored on, so it is an oracle, and flagged as one.
"""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Crops, Predictions, predictions
from harness.metrics.tasks import Output, Task


def previous_label(task: Task, frames: Crops, labels: Labels, fallback: np.ndarray) -> Predictions:
    """At each crop the latest valid label of an earlier frame of its sequence, by output block.

    An expression is one-hot; of several rows of one frame the last counts. fallback: [C], where no earlier frame has
    a valid label (the training split's commonest expression, means and rates).
    """
    slices, parts = task.slices(), []
    for output in task.outputs:
        valid = np.flatnonzero(output.valid(labels.targets[output.name]))
        parts.append((slices[output.name], _values(output, labels.targets[output.name][valid]), labels.take(valid)))

    def outputs_of(name: str, own: np.ndarray) -> np.ndarray:
        outputs = np.tile(np.asarray(fallback, dtype=np.float32), (len(own), 1))
        for columns, values, annotated in parts:
            before, known = _before(name, own, annotated)
            outputs[known, columns] = values[before[known]]
        return outputs

    return predictions(frames, outputs_of, task.width)


def _values(output: Output, target: np.ndarray) -> np.ndarray:
    """[N, c] of the output's columns."""
    return np.eye(len(output.columns))[target] if output.name == "expr" else target


def _before(name: str, frames: np.ndarray, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """For each frame the row of the latest label before it, and whether there is one."""
    if name not in labels.sequences:
        return np.zeros(len(frames), np.int64), np.zeros(len(frames), bool)
    rows = np.flatnonzero(labels.sequence == labels.sequences.index(name))
    rows = rows[np.argsort(labels.frame[rows], kind="stable")]
    place = np.searchsorted(labels.frame[rows], frames, side="left") - 1
    return np.append(rows, 0)[place], place >= 0
