"""Models that are trained on cached features: one head, or one for each output of the task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.dataset import Labels
from harness.features.matrix import FeatureMatrix
from harness.features.row_reader import NOISE_WIDTH
from harness.features.store import FeatureEntry, FeatureStore
from harness.jobs.base_model import JobModel
from harness.jobs.job import Configuration, Job
from harness.jobs.job_folder import HEAD_NAME
from harness.metrics.tasks import Task, get_task
from harness.training.heads.config import HeadConfig
from harness.training.heads.train import HeadTrainingSpec, train_head
from harness.training.heads.train_batched import train_heads
from harness.training.heads.trained_head import TrainedHead, load, predict
from harness.utils.errors import InputError


@dataclass(frozen=True)
class NetworkSpec:
    """One network of a model: what it predicts, from which features, and how it is built and trained."""

    name: str
    task: Task
    features: str
    head: HeadConfig


def make_network_specs(configuration: Configuration, task: Task) -> list[NetworkSpec]:
    """The networks that the head of a configuration consists of, in the order of the task's outputs."""
    head, features = configuration.head, configuration.features
    assert head is not None
    if head.kind != "separate":
        return [NetworkSpec(HEAD_NAME, task, features, head)]
    return [
        NetworkSpec(
            f"{HEAD_NAME}_{output.name}",
            get_task(output.name),
            head.features(output.name, features),
            head.part(output.name),
        )
        for output in task.outputs
    ]


def fit_heads(
    job: Job,
    task: Task,
    fit: Labels,
    selection: Labels | None,
    on_epoch: Callable[[int, float], bool] | None = None,
    epochs: Mapping[str, int] | None = None,
) -> HeadModel:
    """As `harness.jobs.models.fit_model`; each network is trained for itself, on the rows with a valid label."""
    entry = FeatureStore(job.store.features).entry(job.entry)
    parts, trained = make_network_specs(job.configuration, task), {}
    for part in parts:
        length = None if epochs is None else epochs[part.name]
        spec = HeadTrainingSpec(part.head, on_epoch if len(parts) == 1 else None, length)
        chosen = None if selection is None else _make_matrix(part, entry, selection, job.memory)
        trained[part.name] = train_head(part.task, spec, _make_matrix(part, entry, fit, job.memory), chosen, job.seed)
    return HeadModel(task, entry, parts, trained, _summarize(trained))


def fit_heads_together(
    jobs: Sequence[Job],
    task: Task,
    fit: Labels,
    selection: Labels | None,
    on_epochs: Sequence[Callable[[int, float], bool] | None],
    epochs: Sequence[Mapping[str, int] | None],
) -> list[HeadModel | None]:
    """As `fit_heads` for each of a group's jobs, which read the same features; None for one that stopped being finite."""
    entry = FeatureStore(jobs[0].store.features).entry(jobs[0].entry)
    parts = [make_network_specs(job.configuration, task) for job in jobs]
    specs = [
        HeadTrainingSpec(part.head, on_epoch, None if length is None else length[part.name])
        for (part,), on_epoch, length in zip(parts, on_epochs, epochs)
    ]
    (first,), memory = parts[0], jobs[0].memory
    chosen = None if selection is None else _make_matrix(first, entry, selection, memory)
    trained = train_heads(first.task, specs, _make_matrix(first, entry, fit, memory), chosen, jobs[0].seed)
    return [
        None if head is None else HeadModel(task, entry, own, {own[0].name: head}, _summarize({own[0].name: head}))
        for own, head in zip(parts, trained)
    ]


def load_heads(
    folder: Path, configuration: Configuration, task: Task, entry: FeatureEntry, summary: dict[str, Any]
) -> HeadModel:
    """As `harness.jobs.models.load_model`."""
    parts = make_network_specs(configuration, task)
    trained = {part.name: load(folder, part.name) for part in parts}
    for part in parts:
        width = NOISE_WIDTH if part.features == "noise" else entry.width(part.features)
        if width != trained[part.name].in_width:
            raise InputError(
                f"{folder}: the head was trained on {trained[part.name].in_width} columns of "
                f"{part.features}; the features of {entry.backbone['label']} have {width}"
            )
    return HeadModel(task, entry, parts, trained, summary)


@dataclass
class HeadModel(JobModel):
    """Trained networks on the features of an entry; their outputs side by side are the task's columns."""

    task: Task
    entry: FeatureEntry
    parts: list[NetworkSpec]
    trained: dict[str, TrainedHead]
    summary: dict[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.features for part in self.parts))

    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        outputs = [predict(self.trained[part.name], features[part.features]) for part in self.parts]
        return np.concatenate(outputs, axis=1)

    def save(self, folder: Path) -> None:
        for name, trained in self.trained.items():
            trained.save(folder, name)


def _make_matrix(part: NetworkSpec, entry: FeatureEntry, labels: Labels, memory: int) -> tuple[FeatureMatrix, Labels]:
    """The rows with a valid label of what the network predicts, and their features."""
    annotated = _select_annotated(part.task, labels)
    return FeatureMatrix(entry, part.features, annotated, memory), annotated


def _select_annotated(task: Task, labels: Labels) -> Labels:
    valid = np.logical_or.reduce(list(task.valid(labels.targets).values()))
    taken = labels.take(np.flatnonzero(valid))
    return dataclasses.replace(taken, targets={output.name: taken.targets[output.name] for output in task.outputs})


def _summarize(trained: Mapping[str, TrainedHead]) -> dict[str, Any]:
    common = {
        "epoch": max(head.epoch for head in trained.values()),
        "epochs": {name: head.epoch for name, head in trained.items()},
        "parameters": sum(head.parameters for head in trained.values()),
        "pruned": False,
    }
    if len(trained) > 1:
        return {**common, "history": [], "histories": {name: head.history for name, head in trained.items()}}
    (head,) = trained.values()
    return {**common, "history": head.history, "pruned": head.pruned, "value": head.value}
