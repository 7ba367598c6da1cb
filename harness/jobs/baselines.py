"""A backbone's own emotion scores read as the eight expressions; nothing is trained (Savchenko 2022)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from harness.data.dataset import Labels
from harness.features.store import FeatureEntry
from harness.jobs.base_model import JobModel
from harness.jobs.predictions import FramesBySequence, Predictions, collect_predictions
from harness.metrics.tasks import EXPRESSIONS, TASKS, Output, Task, softmax
from harness.utils.errors import InputError

OTHER_INDEX = EXPRESSIONS.index("Other")
EXPRESSION_INDEX = {**{name.lower(): i for i, name in enumerate(EXPRESSIONS)}, "contempt": OTHER_INDEX}
"""The expression that a score column of that name stands for."""
MIN_COLUMNS = 2
"""Columns that make a classifier."""


def expression_columns(score_labels: Sequence[str]) -> np.ndarray | None:
    """float64 [S, 8]: 1 where a score column stands for an expression, by its name; None where fewer than two do.

    Contempt counts as Other, so that AffectNet's eight classes, alphabetical, are the index vector 5, 0, 2, 3, 4, 6,
    7, 1; without Contempt (seven classes) Other has no column. Columns of anything else (valence, action units) have
    no expression.
    """
    places = np.array([EXPRESSION_INDEX.get(name.lower(), -1) for name in score_labels], dtype=np.int64)
    columns = (places[:, None] == np.arange(len(EXPRESSIONS))).astype(np.float64)
    return columns if columns.sum() >= MIN_COLUMNS else None


def zero_shot_probabilities(scores: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Logits [N, S] -> float64 [N, 8] probabilities: softmax over the columns that stand for an expression."""
    emotions = columns.any(axis=1)
    return softmax(np.asarray(scores, dtype=np.float64)[:, emotions]) @ columns[emotions]


class ZeroShotModel(JobModel):
    """The scores in a feature entry read as expressions; InputError when its backbone names no emotions."""

    task, features = TASKS["expr"], ("scores",)

    def __init__(self, entry: FeatureEntry) -> None:
        self.entry = entry
        columns = expression_columns(self.entry.backbone["score_labels"])
        if columns is None:
            raise InputError(
                f"{self.entry.backbone['label']}: its score columns are not named after emotions, so they "
                "cannot be read as expressions"
            )
        self.columns = columns
        self.summary = {"epoch": 0, "epochs": {}, "parameters": 0, "history": [], "pruned": False}

    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        return zero_shot_probabilities(features["scores"], self.columns).astype(np.float32)

    def save(self, folder: Path) -> None:
        """The feature entry holds everything."""


def predict_previous_label(task: Task, frames: FramesBySequence, labels: Labels, fallback: np.ndarray) -> Predictions:
    """At each crop the latest valid label of an earlier frame of its sequence, by output block.

    An expression is one-hot; of several rows of one frame the last counts. fallback: [C], where no earlier frame has
    a valid label (the training split's commonest expression, means and rates).
    """
    slices, parts = task.slices(), []
    for output in task.outputs:
        valid = np.flatnonzero(output.valid(labels.targets[output.name]))
        parts.append(
            (slices[output.name], _target_columns(output, labels.targets[output.name][valid]), labels.take(valid))
        )

    def predict_sequence(name: str, own: np.ndarray) -> np.ndarray:
        outputs = np.tile(np.asarray(fallback, dtype=np.float32), (len(own), 1))
        for columns, values, annotated in parts:
            before, known = _latest_label_before(name, own, annotated)
            outputs[known, columns] = values[before[known]]
        return outputs

    return collect_predictions(frames, predict_sequence, task.width)


def _target_columns(output: Output, target: np.ndarray) -> np.ndarray:
    """[N, c] of the output's columns."""
    return np.eye(len(output.columns))[target] if output.name == "expr" else target


def _latest_label_before(name: str, frames: np.ndarray, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """For each frame the row of the latest label before it, and whether there is one."""
    if name not in labels.sequences:
        return np.zeros(len(frames), np.int64), np.zeros(len(frames), bool)
    rows = np.flatnonzero(labels.sequence == labels.sequences.index(name))
    rows = rows[np.argsort(labels.frame[rows], kind="stable")]
    place = np.searchsorted(labels.frame[rows], frames, side="left") - 1
    return np.append(rows, 0)[place], place >= 0
