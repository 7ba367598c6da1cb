"""Fit and load the models of jobs: trained heads, a constant, or the backbone's scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.data.dataset import Labels
from harness.features.entry import FeatureEntry
from harness.features.store import FeatureStore
from harness.jobs.base_model import JobModel
from harness.jobs.baselines import ZeroShotModel
from harness.jobs.job import LABELS, Configuration, Job
from harness.jobs.job_folder import JobFolder
from harness.metrics.tasks import EXPRESSIONS, Task, get_task
from harness.utils.errors import FramelightError, InputError

Epochs = Mapping[str, int]
"""Number of epochs of each network of a model; empty for a model without training."""


def fit_model(
    job: Job,
    task: Task,
    fit: Labels,
    selection: Labels | None,
    on_epoch: Callable[[int, float], bool] | None = None,
    epochs: Epochs | None = None,
) -> JobModel:
    """Fit the model of a job.

    Parameters
    ----------
    job : Job
        The job.
    task : Task
        Its task.
    fit : Labels
        Rows that the model is fitted on.
    selection : Labels or None
        Rows that select the epoch; may be None if `epochs` is given.
    on_epoch : callable, optional
        Called after each epoch with its number, from 1, and the metric on the selection rows. If it returns True, the
        training is pruned. A model of several networks does not call it.
    epochs : mapping of str to int, optional
        Train each network for this number of epochs and use the last weights. The learning-rate schedule still
        spans the configured number of epochs.

    Returns
    -------
    JobModel
        The fitted model.
    """
    if job.configuration.head is None:
        entry = FeatureStore(job.store.features).entry(job.entry)
        return _make_untrained_model(job.configuration, task, entry, lambda: constant_outputs(task, fit))
    from harness.jobs.head_model import fit_heads

    return fit_heads(job, task, fit, selection, on_epoch, epochs)


def load_model(folder: Path, entry: FeatureEntry, configuration: Configuration) -> JobModel:
    """Load the model in the folder of a job.

    Parameters
    ----------
    folder : Path
        Folder of the job.
    entry : FeatureEntry
        Features of the images to predict, extracted with the backbone of the job.
    configuration : Configuration
        Configuration of the job.

    Returns
    -------
    JobModel
        The model.

    Raises
    ------
    InputError
        If the model predicts from labels, or was trained on features of another width.
    FramelightError
        If the files of the model are missing or damaged.
    """
    folder, task = Path(folder), get_task(configuration.task)
    if configuration.head is None:
        return _make_untrained_model(configuration, task, entry, lambda: _load_constant(folder))
    from harness.jobs.head_model import load_heads

    return load_heads(folder, configuration, task, entry, _read_summary(folder))


def median_epochs(summaries: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """Return the median of the selected epochs of each network, rounded down."""
    return {name: int(np.median([summary["epochs"][name] for summary in summaries])) for name in summaries[0]["epochs"]}


def constant_outputs(task: Task, fit: Labels) -> np.ndarray:
    """Compute the constant baseline.

    Parameters
    ----------
    task : Task
        The task.
    fit : Labels
        Labels of the training split.

    Returns
    -------
    float32 ndarray of shape (C,)
        One-hot most frequent expression, mean valence and arousal, and rate of each action unit.
    """
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
    """Baseline that predicts the same outputs for every crop.

    Parameters
    ----------
    task : Task
        The task.
    entry : FeatureEntry
        Features; only their frame numbers are used.
    constant : float32 ndarray of shape (C,)
        The outputs.
    """

    features = ("none",)

    def __init__(self, task: Task, entry: FeatureEntry, constant: np.ndarray) -> None:
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
        """Compute the outputs of N crops, see `JobModel.predict_arrays`."""
        return np.tile(self.constant, (len(features["none"]), 1))

    def save(self, folder: Path) -> None:
        """Write nothing, as the constant is in the summary."""


def _make_untrained_model(
    configuration: Configuration, task: Task, entry: FeatureEntry, make_constant: Callable[[], np.ndarray]
) -> JobModel:
    if configuration.features == LABELS:
        raise InputError(
            "the baseline 'previous label' predicts from annotations and cannot be used on images alone; choose "
            "another run"
        )
    return ZeroShotModel(entry) if configuration.features == "scores" else ConstantModel(task, entry, make_constant())


def _load_constant(folder: Path) -> np.ndarray:
    """Load the constant that predicts the reported split; after a refit, it is computed from all training rows."""
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
