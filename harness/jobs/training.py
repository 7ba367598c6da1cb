"""Kept predictions of jobs: models are fitted for choosing, and one predicts the reported split. Sees no label of it.

What is kept, whole or not at all: the predictions, the summary and the model's own files, see `JobFolder`.
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
from harness.jobs.job import Job
from harness.jobs.job_folder import JobFolder
from harness.jobs.models import Epochs, fit_model, median_epochs
from harness.jobs.predictions import merge_fold_predictions
from harness.metrics.tasks import Task
from harness.utils.files import atomic_write_dir
from harness.utils.locks import entry_lock

OnEpoch = Callable[[int, float], bool]
"""Called with the epoch and the selection metric; True stops the training as pruned."""


def train_job(
    job: Job,
    task: Task,
    training: Labels,
    divisions: Sequence[Split],
    reported: Sequence[str],
    on_epoch: OnEpoch | None,
) -> dict[str, Any]:
    """The summary of the training; predictions are kept beside it unless it was pruned.

    A model is fitted for each division: its own selection rows choose its epoch and get its predictions. The first
    one also predicts the sequences of the reported split, unless the protocol refits: then a model fitted on all of
    `training` does, for the median of their epochs on the same schedule.
    """
    if not job.predictions.is_dir():
        pruned = train_jobs([job], task, training, divisions, reported, [on_epoch])
        if pruned:
            return pruned[job.training_id]
    return JobFolder(job.predictions).read_training()


def train_jobs(
    jobs: Sequence[Job],
    task: Task,
    training: Labels,
    divisions: Sequence[Split],
    reported: Sequence[str],
    on_epochs: Sequence[OnEpoch | None],
) -> dict[str, dict[str, Any]]:
    """Like `train_job` for a group of jobs (see `harness.runner.scheduler`): the summaries of the pruned ones.

    The predictions of the others are kept at the end, one right after the other. One whose loss or outputs stopped
    being finite among others leaves nothing; trained alone it says why.
    """
    with ExitStack() as locks:
        for job in sorted(jobs, key=lambda job: job.predictions):
            locks.enter_context(
                entry_lock(job.predictions)
            )  # jobs that differ in smoothing alone want the same at once
        # what trains does not get the folder of the labels
        courses = [
            _TrainingProgress(dataclasses.replace(job, data=Path(os.devnull)), on_epoch)
            for job, on_epoch in zip(jobs, on_epochs)
            if not job.predictions.is_dir()
        ]
        for division in divisions:
            going = [course for course in courses if course.is_running]
            for course, model in zip(going, _fit_models(going, task, division.fit, division.selection)):
                course.models.append(model)
        _save_predictions([course for course in courses if course.is_running], task, training, divisions, reported)
        return {course.job.training_id: course.models[-1].summary for course in courses if course.pruned}


@dataclass
class _TrainingProgress:
    """How far the training of a job has come: the model of each division, None once one stopped being finite."""

    job: Job
    on_epoch: OnEpoch | None
    models: list[JobModel | None] = field(default_factory=list)

    @property
    def pruning_callback(self) -> OnEpoch | None:
        """A search prunes by the first division, alone."""
        return None if self.models else self.on_epoch

    @property
    def pruned(self) -> bool:
        return any(model is not None and model.summary["pruned"] for model in self.models)

    @property
    def is_running(self) -> bool:
        return None not in self.models and not self.pruned

    @property
    def summary(self) -> dict[str, Any]:
        """That of the first model, with the epochs that all of them together choose."""
        summaries = [model.summary for model in self.models]
        if len(summaries) == 1:
            return summaries[0]
        epochs = median_epochs(summaries)
        return {**summaries[0], "epochs": epochs, "epoch": max(epochs.values(), default=0), "folds": summaries}


def _fit_models(
    courses: Sequence[_TrainingProgress],
    task: Task,
    fit: Labels,
    selection: Labels | None,
    epochs: Sequence[Epochs | None] | None = None,
) -> list[JobModel | None]:
    """The next model of each."""
    epochs = epochs or [None] * len(courses)
    if len(courses) == 1:
        return [fit_model(courses[0].job, task, fit, selection, courses[0].pruning_callback, epochs[0])]
    if not courses:
        return []
    from harness.jobs.head_model import fit_heads_together

    return fit_heads_together(
        [course.job for course in courses],
        task,
        fit,
        selection,
        [course.pruning_callback for course in courses],
        epochs,
    )


def _save_predictions(
    courses: Sequence[_TrainingProgress],
    task: Task,
    training: Labels,
    divisions: Sequence[Split],
    reported: Sequence[str],
) -> None:
    if not courses:
        return
    parts = [
        predict_many([course.models[i] for course in courses], division.selection.sequences)
        for i, division in enumerate(divisions)
    ]
    selected = [
        merge_fold_predictions([(part, division.selection) for part, division in zip(own, divisions)])
        for own in zip(*parts)
    ]
    summaries, finals = [course.summary for course in courses], [course.models[0] for course in courses]
    if courses[0].job.configuration.protocol.refit:
        finals = _fit_models(courses, task, training, None, [summary["epochs"] for summary in summaries])
        summaries = [{**summary, "refit": final and final.summary} for summary, final in zip(summaries, finals)]
    whole = [i for i, final in enumerate(finals) if final is not None]
    outputs = predict_many([finals[i] for i in whole], reported) if whole else []
    with ExitStack() as asides:  # all are written before the first is put in place
        for i, predictions in zip(whole, outputs):
            aside = asides.enter_context(atomic_write_dir(courses[i].job.predictions))
            finals[i].save(aside)
            JobFolder(aside).write_training(selected[i], predictions, summaries[i])
