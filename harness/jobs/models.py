"""What a job predicts with: a trained head, or a constant."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from harness.data.dataset import Labels
from harness.features.matrix import FeatureMatrix
from harness.features.store import FeatureEntry, FeatureStore
from harness.jobs.job import Job
from harness.jobs.predictions import Predictions
from harness.tasks import EXPRESSIONS, Task


class Model(Protocol):
    summary: dict[str, Any]

    def predict(self, sequences: Sequence[str]) -> Predictions: ...

    def save(self, folder: Path) -> None: ...


def fit_model(job: Job, task: Task, fit: Labels, selection: Labels,
              on_epoch: Callable[[int, float], bool] | None) -> Model:
    entry = FeatureStore(job.store / "features").entry(job.entry)
    if job.configuration.head is None:
        return ConstantModel(task, entry, fit)
    return HeadModel(job, task, entry, fit, selection, on_epoch)


def _predictions(entry: FeatureEntry, sequences: Sequence[str],
                 outputs_of: Callable[[str, int], np.ndarray], width: int) -> Predictions:
    frames = [np.asarray(entry.frames(name)) for name in sequences]
    lengths = np.array([len(f) for f in frames], dtype=np.int64)
    outputs = [outputs_of(name, len(f)) for name, f in zip(sequences, frames)]
    return Predictions(tuple(sequences), lengths, np.concatenate([*frames, np.zeros(0, np.int32)]).astype(np.int32),
                       np.concatenate([*outputs, np.zeros((0, width), np.float32)]).astype(np.float32))


@dataclass
class ConstantModel:
    """The baseline that looks at nothing: the commonest expression, the mean valence and arousal, each AU's rate."""

    task: Task
    entry: FeatureEntry
    fit: Labels

    def __post_init__(self) -> None:
        blocks = []
        for name, valid in self.task.valid(self.fit.targets).items():
            target = self.fit.targets[name][valid]
            if name == "expr":
                counts = np.bincount(target, minlength=len(EXPRESSIONS))
                blocks.append((np.arange(len(EXPRESSIONS)) == counts.argmax()).astype(np.float32))
            else:
                blocks.append(target.mean(axis=0))
        self.constant = np.concatenate(blocks).astype(np.float32)
        self.summary = {"epoch": 0, "parameters": 0, "history": [], "pruned": False,
                        "constant": [float(value) for value in self.constant]}

    def predict(self, sequences: Sequence[str]) -> Predictions:
        return _predictions(self.entry, sequences, lambda _, n: np.tile(self.constant, (n, 1)), self.task.width)

    def save(self, folder: Path) -> None:
        """The constant is in the summary."""


class HeadModel:
    """A head trained on cached features."""

    def __init__(self, job: Job, task: Task, entry: FeatureEntry, fit: Labels, selection: Labels,
                 on_epoch: Callable[[int, float], bool] | None) -> None:
        from harness.heads.training import train_head

        self.task, self.entry, self.features = task, entry, job.configuration.features
        assert job.configuration.head is not None
        fit, selection = self._annotated(fit), self._annotated(selection)
        self.trained = train_head(task, job.configuration.head, self._matrix(fit), fit, self._matrix(selection),
                                  selection, job.seed, on_epoch)
        self.summary = {"epoch": self.trained.epoch, "parameters": self.trained.parameters,
                        "history": self.trained.history, "pruned": self.trained.pruned, "value": self.trained.value}

    def _annotated(self, labels: Labels) -> Labels:
        valid = np.logical_or.reduce(list(self.task.valid(labels.targets).values()))
        return labels.take(np.flatnonzero(valid))

    def _matrix(self, labels: Labels) -> FeatureMatrix:
        return FeatureMatrix(self.entry, self.features, labels)

    def predict(self, sequences: Sequence[str]) -> Predictions:
        from harness.features.matrix import sequence_blocks
        from harness.heads.training import predict

        def outputs_of(name: str, count: int) -> np.ndarray:
            if not count:
                return np.zeros((0, self.task.width), np.float32)
            return predict(self.trained, sequence_blocks(self.entry, self.features, name))

        return _predictions(self.entry, sequences, outputs_of, self.task.width)

    def save(self, folder: Path) -> None:
        self.trained.save(folder)
