"""What a job predicts with: trained heads, a constant, or a backbone's own scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.dataset import Labels
from harness.features.store import FeatureEntry, FeatureStore
from harness.jobs.base_model import JobModel
from harness.jobs.baselines import ZeroShotModel
from harness.jobs.job import LABELS, Configuration, Job
from harness.jobs.job_folder import JobFolder
from harness.metrics.tasks import EXPRESSIONS, Task, get_task
from harness.utils.errors import FramelightError, InputError

Epochs = Mapping[str, int]
"""How long each network of a model is trained; nothing for a model that is not."""


def fit_model(
    job: Job,
    task: Task,
    fit: Labels,
    selection: Labels | None,
    on_epoch: Callable[[int, float], bool] | None = None,
    epochs: Epochs | None = None,
) -> JobModel:
    """The model of a job, fitted on `fit`; `selection` chooses the epochs that are kept.

    on_epoch(epoch from 1, the task's metric on the selection rows): True ends the training as pruned; not asked by a
    model of several networks. epochs: train so long, on the schedule of the whole length, and keep the last weights
    whatever the selection rows say (`selection` may then be None).
    """
    if job.configuration.head is None:
        entry = FeatureStore(job.store.features).entry(job.entry)
        return _make_untrained_model(job.configuration, task, entry, lambda: constant_outputs(task, fit))
    from harness.jobs.head_model import fit_heads

    return fit_heads(job, task, fit, selection, on_epoch, epochs)


def load_model(folder: Path, entry: FeatureEntry, configuration: Configuration) -> JobModel:
    """The model kept in a job's folder, on the features of `entry`: any images, the same backbone.

    InputError when it reads labels, which new images have not, or the entry is of features it was not trained on;
    FramelightError when its files are damaged.
    """
    folder, task = Path(folder), get_task(configuration.task)
    if configuration.head is None:
        return _make_untrained_model(configuration, task, entry, lambda: _load_constant(folder))
    from harness.jobs.head_model import load_heads

    return load_heads(folder, configuration, task, entry, _read_summary(folder))


def median_epochs(summaries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """For each network the median of the epochs that were kept; between two, the mean rounded down."""
    return {name: int(np.median([summary["epochs"][name] for summary in summaries])) for name in summaries[0]["epochs"]}


def constant_outputs(task: Task, fit: Labels) -> np.ndarray:
    """float32 [C]: the commonest expression (one-hot), the mean valence and arousal, each action unit's rate."""
    blocks = []
    for name, valid in task.valid(fit.targets).items():
        target = fit.targets[name][valid]
        if name == "expr":
            counts = np.bincount(target, minlength=len(EXPRESSIONS))
            blocks.append((np.arange(len(EXPRESSIONS)) == counts.argmax()).astype(np.float32))
        else:
            blocks.append(target.mean(axis=0))
    return np.concatenate(blocks).astype(np.float32)


class ConstantModel(JobModel):
    """Baseline that predicts the same outputs for every crop."""

    features = ("none",)

    def __init__(self, task: Task, entry: FeatureEntry, constant: np.ndarray) -> None:
        """constant: float32 [C]."""
        self.task, self.entry, self.constant = task, entry, constant
        self.summary = {
            "epoch": 0,
            "epochs": {},
            "parameters": 0,
            "history": [],
            "pruned": False,
            "constant": [float(value) for value in self.constant],
        }

    def predict_arrays(self, features: Mapping[str, np.ndarray]) -> np.ndarray:
        return np.tile(self.constant, (len(features["none"]), 1))

    def save(self, folder: Path) -> None:
        """The constant is in the summary."""


def _make_untrained_model(
    configuration: Configuration, task: Task, entry: FeatureEntry, constant_of: Callable[[], np.ndarray]
) -> JobModel:
    if configuration.features == LABELS:
        raise InputError("the previous label is read from annotations; it predicts nothing on images alone")
    return ZeroShotModel(entry) if configuration.features == "scores" else ConstantModel(task, entry, constant_of())


def _load_constant(folder: Path) -> np.ndarray:
    """That of the model that predicted the reported split: of all training rows, where the protocol refits."""
    summary = _read_summary(folder)
    return np.array(summary.get("refit", summary)["constant"], dtype=np.float32)


def _read_summary(folder: Path) -> dict[str, Any]:
    files = JobFolder(folder)
    try:
        return files.read_training()
    except (OSError, ValueError) as error:
        raise FramelightError(
            f"{files.training} cannot be read ({error}); run the recipe of this run again with --force"
        ) from error
