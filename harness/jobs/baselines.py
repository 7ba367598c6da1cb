"""Baselines without training: the backbone's emotion scores (Savchenko 2022), and the previous label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from backbones.spec import canonical_class
from harness.data.dataset import Labels
from harness.features.entry import FeatureEntry
from harness.jobs.base_model import JobModel
from harness.jobs.predictions import FramesBySequence, Predictions, collect_predictions
from harness.metrics.tasks import EXPRESSIONS, TASKS, Output, Task, softmax
from harness.utils.errors import InputError

OTHER_INDEX = EXPRESSIONS.index("Other")
EXPRESSION_INDEX = {**{name.lower(): i for i, name in enumerate(EXPRESSIONS)}, "contempt": OTHER_INDEX}
"""Maps the lower-case name of a score column to the index of the expression that the column predicts."""
MIN_COLUMNS = 2
"""Minimum number of expression columns of a classifier."""


def expression_columns(score_labels: Sequence[str]) -> np.ndarray | None:
    """Map score columns to expressions by name; synonyms such as happy (for Happiness) are recognized.

    Contempt is mapped to the class Other. For example, AffectNet's eight classes in alphabetical order have the
    indices 1, 7, 2, 3, 4, 0, 5, 6. Without Contempt (seven classes), the class Other has no column. Columns such as
    valence or action units are mapped to no expression.

    Parameters
    ----------
    score_labels : sequence of str
        Names of the S score columns.

    Returns
    -------
    float64 ndarray of shape (S, 8) or None
        1 where a column is the score of an expression; None if fewer than two columns are scores of expressions.
    """
    names = [canonical_class(name).lower() for name in score_labels]
    indices = np.array([EXPRESSION_INDEX.get(name, -1) for name in names], dtype=np.int64)
    columns = (indices[:, None] == np.arange(len(EXPRESSIONS))).astype(np.float64)
    return columns if columns.sum() >= MIN_COLUMNS else None


def zero_shot_probabilities(scores: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Compute expression probabilities: softmax over the score columns of expressions.

    Parameters
    ----------
    scores : ndarray of shape (N, S)
        Logits.
    columns : ndarray of shape (S, 8)
        Result of `expression_columns`.

    Returns
    -------
    float64 ndarray of shape (N, 8)
        Probabilities.
    """
    emotions = columns.any(axis=1)
    return softmax(np.asarray(scores, dtype=np.float64)[:, emotions]) @ columns[emotions]


class ZeroShotModel(JobModel):
    """Expression model that uses the scores of the backbone's classifier.

    Parameters
    ----------
    entry : FeatureEntry
        The features.

    Raises
    ------
    InputError
        If fewer than two score columns of the backbone are named after expressions.
    """

    task, features = TASKS["expr"], ("scores",)

    def __init__(self, entry: FeatureEntry) -> None:
        self.entry = entry
        columns = expression_columns(self.entry.backbone["score_labels"])
        if columns is None:
            raise InputError(
                f"backbone {self.entry.backbone['label']}: the score columns are not named after emotions, so they "
                "cannot predict expressions; use a backbone with an emotion classifier"
            )
        self.columns = columns
        self.summary = {"epoch": 0, "epochs": {}, "parameters": 0, "history": [], "pruned": False}

    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute the outputs of N crops, see `JobModel.predict_arrays`."""
        return zero_shot_probabilities(features["scores"], self.columns).astype(np.float32)

    def save(self, folder: Path) -> None:
        """Write nothing, as the feature entry has all that the model needs."""


def predict_previous_label(task: Task, frames: FramesBySequence, labels: Labels, fallback: np.ndarray) -> Predictions:
    """Predict, for each crop and output, the latest valid label of an earlier frame of the same sequence.

    Expressions are one-hot. If a frame has several labels, the last one counts.

    Parameters
    ----------
    task : Task
        The task.
    frames : mapping of str to ndarray
        Frame numbers of the crops of each sequence.
    labels : Labels
        The labels to repeat.
    fallback : ndarray of shape (C,)
        Outputs at crops without an earlier label, see `constant_outputs`.

    Returns
    -------
    Predictions
        Outputs at all crops.
    """
    slices, parts = task.slices(), []
    for output in task.outputs:
        valid = np.flatnonzero(output.valid(labels.targets[output.name]))
        parts.append(
            (slices[output.name], _target_columns(output, labels.targets[output.name][valid]), labels.take(valid))
        )

    def predict_sequence(name: str, sequence_frames: np.ndarray) -> np.ndarray:
        outputs = np.tile(np.asarray(fallback, dtype=np.float32), (len(sequence_frames), 1))
        for columns, values, annotated in parts:
            latest, exists = _latest_label_before(name, sequence_frames, annotated)
            outputs[exists, columns] = values[latest[exists]]
        return outputs

    return collect_predictions(frames, predict_sequence, task.width)


def _target_columns(output: Output, target: np.ndarray) -> np.ndarray:
    """Return the labels as columns of the output; expressions are one-hot encoded."""
    return np.eye(len(output.columns))[target] if output.name == "expr" else target


def _latest_label_before(name: str, frames: np.ndarray, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Return, for each frame, the row of the latest label before it, and whether there is one."""
    if name not in labels.sequences:
        return np.zeros(len(frames), np.int64), np.zeros(len(frames), bool)
    rows = np.flatnonzero(labels.sequence == labels.sequences.index(name))
    rows = rows[np.argsort(labels.frame[rows], kind="stable")]
    position = np.searchsorted(labels.frame[rows], frames, side="left") - 1
    return np.append(rows, 0)[position], position >= 0
