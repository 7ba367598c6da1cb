"""Base class of what a job predicts with: features of crops in, outputs of a task out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.features.matrix import iter_sequence
from harness.features.store import FeatureEntry
from harness.jobs.predictions import Predictions, collect_predictions, frames_with_features
from harness.metrics.tasks import Task


class JobModel(ABC):
    """Model of one job.

    Attributes
    ----------
    task : Task
        What it predicts.
    entry : FeatureEntry
        The features that `predict` reads.
    features : tuple of str
        Names of the features that `predict_arrays` reads.
    summary : dict
        JSON values: `epoch` and `epochs` (those of the weights, by network), `parameters` (learned numbers),
        `history`, `pruned`, and for a trained head its `value` on the selection rows.
    """

    task: Task
    entry: FeatureEntry
    features: tuple[str, ...]
    summary: dict[str, Any]

    @abstractmethod
    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute the outputs of N crops, before any smoothing.

        Parameters
        ----------
        features : mapping of str to ndarray of shape (N, D)
            The float32 columns of each name in `self.features`, rounded as the model's own features are stored
            (`feature_columns` does so). `none` has no columns.

        Returns
        -------
        ndarray of shape (N, C)
            float32, in the task's space.
        """

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what `load_model` needs besides the summary, which the caller writes as training.json."""

    def predict(self, sequences: Sequence[str]) -> Predictions:
        """Compute the outputs of every crop of these sequences of the feature entry."""
        return predict_many([self], sequences)[0]


def predict_many(models: Sequence[JobModel], sequences: Sequence[str]) -> list[Predictions]:
    """Compute `Model.predict` for several models of one task on one feature entry, reading the features once."""
    entry, width = models[0].entry, models[0].task.width
    names = sorted({name for model in models for name in model.features})
    outputs: list[dict[str, np.ndarray]] = [{} for _ in models]
    for sequence in sequences:
        blocks = zip(*(iter_sequence(entry, name, sequence) for name in names))  # a sequence may not fit in memory
        arrays = [[model.predict_arrays(dict(zip(names, block))) for model in models] for block in blocks]
        for by_sequence, values in zip(outputs, zip(*arrays)):
            by_sequence[sequence] = np.concatenate(values)
    frames = frames_with_features(entry, sequences)
    return [collect_predictions(frames, lambda sequence, _, found=found: found[sequence], width) for found in outputs]
