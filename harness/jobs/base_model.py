"""Base class of the models of jobs, which map features of crops to outputs of a task."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.features.entry import FeatureEntry
from harness.features.matrix import iter_sequence
from harness.jobs.predictions import Predictions, collect_predictions, frames_with_features
from harness.metrics.tasks import Task


class JobModel(ABC):
    """Model of one job.

    Attributes
    ----------
    task : Task
        Task of the model.
    entry : FeatureEntry
        The features that `predict` reads.
    summary : dict
        JSON values: `epoch`, `epochs` (selected epoch of each network), `parameters` (number of trained parameters),
        `history`, `pruned` and, for a trained head, `value` (the metric on the selection rows).
    """

    task: Task
    entry: FeatureEntry
    summary: dict[str, Any]

    @property
    @abstractmethod
    def features(self) -> tuple[str, ...]:
        """Names of the features that `predict_arrays` uses."""

    @abstractmethod
    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute the outputs of N crops, before any smoothing.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (N, D)
            For each name in `self.features`: its float32 columns, rounded to the precision of the feature entry (see
            `feature_columns`). The feature `none` has no columns.

        Returns
        -------
        float32 ndarray of shape (N, C)
            Outputs of the task, after the activation functions.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write the files that `load_model` needs, except the summary, which the caller writes."""

    def predict(self, sequences: Sequence[str]) -> Predictions:
        """Compute the outputs of all crops of some sequences of the feature entry."""
        return predict_many([self], sequences)[0]


def predict_many(models: Sequence[JobModel], sequences: Sequence[str]) -> list[Predictions]:
    """Compute the predictions of several models, reading the features once.

    Parameters
    ----------
    models : sequence of JobModel
        Models of the same task and feature entry; at least one.
    sequences : sequence of str
        Names of the sequences.

    Returns
    -------
    list of Predictions
        Predictions of each model.
    """
    entry, width = models[0].entry, models[0].task.width
    names = sorted({name for model in models for name in model.features})
    outputs: list[dict[str, np.ndarray]] = [{} for _ in models]
    for sequence in sequences:
        blocks = zip(*(iter_sequence(entry, name, sequence) for name in names))  # a sequence may not fit in memory
        arrays = [[model.predict_arrays(dict(zip(names, block))) for model in models] for block in blocks]
        for by_sequence, values in zip(outputs, zip(*arrays)):
            by_sequence[sequence] = np.concatenate(values)
    frames = frames_with_features(entry, sequences)
    return [collect_predictions(frames, partial(_get_outputs, by_sequence), width) for by_sequence in outputs]


def _get_outputs(by_sequence: Mapping[str, np.ndarray], sequence: str, _frames: np.ndarray) -> np.ndarray:
    return by_sequence[sequence]
