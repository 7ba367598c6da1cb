"""Models that are trained on cached features: one head, or a head for each output of the task."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.dataset import Labels
from harness.features.entry import FeatureEntry
from harness.features.matrix import FeatureMatrix
from harness.features.row_reader import NOISE_WIDTH
from harness.features.store import FeatureStore
from harness.jobs.base_model import JobModel
from harness.jobs.job import Configuration, Job
from harness.jobs.job_folder import JobFolder
from harness.metrics.tasks import Task, get_task
from harness.training.heads.config import HeadConfig
from harness.training.heads.train import HeadTrainingSpec, train_head
from harness.training.heads.train_batched import train_heads
from harness.training.heads.trained_head import TrainedHead, load, predict
from harness.utils.errors import InputError


@dataclass(frozen=True)
class NetworkSpec:
    """One network of a model.

    Attributes
    ----------
    name : str
        Name of the network's files, see `JobFolder.network_name`.
    task : Task
        Task of the network.
    features : str
        Name of the features that the network uses.
    head : HeadConfig
        How the network is built and trained.
    """

    name: str
    task: Task
    features: str
    head: HeadConfig


def make_network_specs(configuration: Configuration, task: Task) -> list[NetworkSpec]:
    """Return the networks of the head of a configuration, in the order of the task's outputs."""
    head, features = configuration.head, configuration.features
    assert head is not None
    if head.kind != "separate":
        return [NetworkSpec(JobFolder.network_name(), task, features, head)]
    return [
        NetworkSpec(
            JobFolder.network_name(output.name),
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
    """Fit the heads of a job; each network is trained separately, on the rows with a valid label.

    Parameters and return value are those of `harness.jobs.models.fit_model`.
    """
    entry = FeatureStore(job.store.features).entry(job.entry)
    networks, trained = make_network_specs(job.configuration, task), {}
    for network in networks:
        length = None if epochs is None else epochs[network.name]
        spec = HeadTrainingSpec(network.head, on_epoch if len(networks) == 1 else None, length)
        selection_rows = None if selection is None else _make_matrix(network, entry, selection, job.memory)
        fit_rows = _make_matrix(network, entry, fit, job.memory)
        trained[network.name] = train_head(network.task, spec, fit_rows, selection_rows, job.seed)
    return HeadModel(task, entry, networks, trained, _summarize(trained))


def fit_heads_together(
    jobs: Sequence[Job],
    task: Task,
    fit: Labels,
    selection: Labels | None,
    on_epochs: Sequence[Callable[[int, float], bool] | None],
    epochs: Sequence[Mapping[str, int] | None],
) -> list[HeadModel | None]:
    """Fit the heads of a group of jobs that use the same features, see `fit_heads`.

    Parameters
    ----------
    jobs : sequence of Job
        Jobs with one network each and the same seed.
    task : Task
        Task of all jobs.
    fit, selection : Labels
        Rows that the heads are fitted on, and rows that select the epoch; `selection` may be None if `epochs` is given.
    on_epochs, epochs : sequence
        For each job, see `harness.jobs.models.fit_model`.

    Returns
    -------
    list of HeadModel or None
        Model of each job; None for a training whose loss or outputs were not finite.
    """
    entry = FeatureStore(jobs[0].store.features).entry(jobs[0].entry)
    networks = [make_network_specs(job.configuration, task) for job in jobs]
    specs = [
        HeadTrainingSpec(network.head, on_epoch, None if length is None else length[network.name])
        for (network,), on_epoch, length in zip(networks, on_epochs, epochs)
    ]
    (first,), memory = networks[0], jobs[0].memory
    selection_rows = None if selection is None else _make_matrix(first, entry, selection, memory)
    trained = train_heads(first.task, specs, _make_matrix(first, entry, fit, memory), selection_rows, jobs[0].seed)
    return [
        None
        if head is None
        else HeadModel(task, entry, [network], {network.name: head}, _summarize({network.name: head}))
        for (network,), head in zip(networks, trained)
    ]


def load_heads(
    folder: Path, configuration: Configuration, task: Task, entry: FeatureEntry, summary: dict[str, Any]
) -> HeadModel:
    """Load the trained heads in the folder of a job, see `harness.jobs.models.load_model`."""
    networks = make_network_specs(configuration, task)
    trained = {network.name: load(folder, network.name) for network in networks}
    for network in networks:
        width = NOISE_WIDTH if network.features == "noise" else entry.width(network.features)
        if width != trained[network.name].in_width:
            raise InputError(
                f"{folder}: the head was trained on {trained[network.name].in_width} columns of "
                f"{network.features}, but the features of {entry.backbone['label']} have {width}; use the backbone "
                "that the run was trained with"
            )
    return HeadModel(task, entry, networks, trained, summary)


@dataclass
class HeadModel(JobModel):
    """Model of one or several trained networks; their concatenated outputs are the columns of the task.

    Attributes
    ----------
    task, entry, summary
        See `JobModel`.
    parts : list of NetworkSpec
        The networks.
    trained : dict of str to TrainedHead
        The trained networks, by name.
    """

    task: Task
    entry: FeatureEntry
    parts: list[NetworkSpec]
    trained: dict[str, TrainedHead]
    summary: dict[str, Any]

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the features that the networks use."""
        return tuple(dict.fromkeys(part.features for part in self.parts))

    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        """Compute the outputs of N crops, see `JobModel.predict_arrays`."""
        outputs = [predict(self.trained[part.name], features[part.features]) for part in self.parts]
        return np.concatenate(outputs, axis=1)

    def save(self, folder: Path) -> None:
        """Write the files of the networks."""
        for name, trained in self.trained.items():
            trained.save(folder, name)


def _make_matrix(
    network: NetworkSpec, entry: FeatureEntry, labels: Labels, memory: int
) -> tuple[FeatureMatrix, Labels]:
    """Return the features of the rows with a valid label of the network's task, and the labels of these rows."""
    annotated = _select_annotated(network.task, labels)
    return FeatureMatrix(entry, network.features, annotated, memory), annotated


def _select_annotated(task: Task, labels: Labels) -> Labels:
    valid = np.logical_or.reduce(list(task.valid(labels.targets).values()))
    rows = labels.take(np.flatnonzero(valid))
    return dataclasses.replace(rows, targets={output.name: rows.targets[output.name] for output in task.outputs})


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
