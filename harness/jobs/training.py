"""Train the models of jobs and save their predictions.

Only the protocol `published` uses the labels of the reported split: they are its selection rows. Predictions, summary
and model files are written atomically, see `JobFolder`.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.data.dataset import Labels
from harness.data.splits import Split
from harness.jobs.base_model import JobModel, predict_many
from harness.jobs.file_hashes import describe_alteration, find_altered_files, write_hashes
from harness.jobs.job import Job
from harness.jobs.job_folder import JobFolder
from harness.jobs.models import Epochs, fit_model, median_epochs
from harness.jobs.predictions import merge_fold_predictions
from harness.metrics.tasks import Task
from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write_dir
from harness.utils.locks import entry_lock

OnEpoch = Callable[[int, float], bool]
"""Called with the epoch and its metric on the selection split; returns whether to prune the training."""


def train_job(
    job: Job, task: Task, training: Labels, splits: Sequence[Split], reported: Sequence[str], on_epoch: OnEpoch | None
) -> dict[str, Any]:
    """Train the models of a job and save their predictions.

    Nothing is trained if the predictions exist, and nothing is saved if the training is pruned.

    One model is fitted for each split; its epoch is selected on the selection rows of the split, and it predicts these
    rows. The first model also predicts the reported split. If the protocol refits, another model predicts the reported
    split instead: it is trained on all training rows, for the median of the selected epochs, with the same
    learning-rate schedule.

    Parameters
    ----------
    job : Job
        The job.
    task : Task
        Its task.
    training : Labels
        Labels of the training split.
    splits : sequence of Split
        Rows to fit on and rows to select on; several for cross-validation.
    reported : sequence of str
        Names of the sequences of the reported split.
    on_epoch : callable or None
        See `OnEpoch`.

    Returns
    -------
    dict
        Summary of the training, as JSON types.

    Raises
    ------
    FramelightError
        If a file of existing predictions is missing or was modified, or if a model cannot be trained (for example,
        its loss is not finite).
    """
    if job.predictions.is_dir():
        _verify_predictions(job)
    else:
        pruned = train_jobs([job], task, training, splits, reported, [on_epoch])
        if pruned:
            return pruned[job.training_id]
    return JobFolder(job.predictions).read_training()


def _verify_predictions(job: Job) -> None:
    """Raise FramelightError if a file of the saved predictions is missing or was modified."""
    for name in find_altered_files(job.predictions, full=True) or ():
        raise FramelightError(
            f"{describe_alteration(job.predictions / name, 'it was saved')}, so job {job.job_id} cannot use it; run "
            "its recipe again, which trains anew"
        )


def train_jobs(
    jobs: Sequence[Job],
    task: Task,
    training: Labels,
    splits: Sequence[Split],
    reported: Sequence[str],
    on_epochs: Sequence[OnEpoch | None],
) -> dict[str, dict[str, Any]]:
    """Train the models of a group of jobs (see `harness.runner.scheduler`), like `train_job`.

    Predictions are saved at the end. Nothing is saved for a pruned job, nor for a job whose loss or outputs are not
    finite. If the group has only one job, such values raise an error instead.

    Parameters
    ----------
    jobs, on_epochs : sequence
        The jobs, and a callback or None for each.
    task, training, splits, reported
        See `train_job`.

    Returns
    -------
    dict of str to dict
        Summaries of the pruned trainings, by training id.
    """
    with ExitStack() as locks:
        for job in sorted(
            jobs, key=lambda job: job.predictions
        ):  # in a fixed order, to avoid a deadlock with processes that lock the same trainings
            locks.enter_context(entry_lock(job.predictions))
        # training code does not get the folder of the labels
        runs = [
            _TrainingProgress(dataclasses.replace(job, data=Path(os.devnull)), on_epoch)
            for job, on_epoch in zip(jobs, on_epochs)
            if not job.predictions.is_dir()
        ]
        for split in splits:
            running = [run for run in runs if run.is_running]
            for run, model in zip(running, _fit_models(running, task, split.fit, split.selection)):
                run.models.append(model)
        _save_predictions([run for run in runs if run.is_running], task, training, splits, reported)
        return {run.job.training_id: run.fitted[-1].summary for run in runs if run.pruned}


@dataclass
class _TrainingProgress:
    """State of the training of a job; `models` has None for a model whose loss or outputs are not finite."""

    job: Job
    on_epoch: OnEpoch | None
    models: list[JobModel | None] = field(default_factory=list)

    @property
    def pruning_callback(self) -> OnEpoch | None:
        """Callback of the next model; only the model of the first split reports its epochs."""
        return None if self.models else self.on_epoch

    @property
    def fitted(self) -> list[JobModel]:
        """Models whose loss and outputs are finite."""
        return [model for model in self.models if model is not None]

    @property
    def pruned(self) -> bool:
        return any(model.summary["pruned"] for model in self.fitted)

    @property
    def is_running(self) -> bool:
        return None not in self.models and not self.pruned

    @property
    def summary(self) -> dict[str, Any]:
        """Summary of the first model; with several models, the median epochs and the summaries of all are added."""
        summaries = [model.summary for model in self.fitted]
        if len(summaries) == 1:
            return summaries[0]
        epochs = median_epochs(summaries)
        return {**summaries[0], "epochs": epochs, "epoch": max(epochs.values(), default=0), "folds": summaries}


def _fit_models(
    runs: Sequence[_TrainingProgress],
    task: Task,
    fit: Labels,
    selection: Labels | None,
    epochs: Sequence[Epochs | None] | None = None,
) -> Sequence[JobModel | None]:
    """Fit the next model of each training."""
    epochs = epochs or [None] * len(runs)
    if len(runs) == 1:
        return [fit_model(runs[0].job, task, fit, selection, runs[0].pruning_callback, epochs[0])]
    if not runs:
        return []
    from harness.jobs.head_model import fit_heads_together

    callbacks = [run.pruning_callback for run in runs]
    return fit_heads_together([run.job for run in runs], task, fit, selection, callbacks, epochs)


def _save_predictions(
    runs: Sequence[_TrainingProgress], task: Task, training: Labels, splits: Sequence[Split], reported: Sequence[str]
) -> None:
    if not runs:
        return
    by_split = [
        predict_many([run.fitted[i] for run in runs], split.selection.sequences) for i, split in enumerate(splits)
    ]
    selection_predictions = [
        merge_fold_predictions([(part, split.selection) for part, split in zip(parts, splits)])
        for parts in zip(*by_split)
    ]
    summaries = [run.summary for run in runs]
    finals: Sequence[JobModel | None] = [run.models[0] for run in runs]
    if runs[0].job.training_configuration.protocol.refit:
        finals = _fit_models(runs, task, training, None, [summary["epochs"] for summary in summaries])
        summaries = [{**summary, "refit": final and final.summary} for summary, final in zip(summaries, finals)]
    finite = [(i, final) for i, final in enumerate(finals) if final is not None]
    outputs = predict_many([final for _, final in finite], reported) if finite else []
    with ExitStack() as temp_dirs:  # all folders are complete before the first one is moved into place
        for (i, final), predictions in zip(finite, outputs):
            temp_dir = temp_dirs.enter_context(atomic_write_dir(runs[i].job.predictions))
            final.save(temp_dir)
            JobFolder(temp_dir).write_training(selection_predictions[i], predictions, summaries[i])
            write_hashes(temp_dir)
