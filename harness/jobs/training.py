"""Kept predictions of a job: models are fitted for choosing, and one predicts the reported split. Sees no label of it.

What is kept, whole or not at all: `selection.npz`, `reported.npz`, `training.json` and the model's own files.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness.data.dataset import Labels
from harness.files import write_json, writing_directory
from harness.jobs.job import Job
from harness.jobs.models import Model, fit_model, median_epochs
from harness.jobs.pooling import pooled
from harness.jobs.predictions import Predictions
from harness.locks import making
from harness.splits import Division
from harness.tasks import Task

OnEpoch = Callable[[int, float], bool]
"""Called with the epoch and the selection metric; True stops the training as pruned."""

SELECTED, REPORTED, SUMMARY = "selection.npz", "reported.npz", "training.json"


def train(job: Job, task: Task, training: Labels, divisions: Sequence[Division], reported: Sequence[str],
          on_epoch: OnEpoch | None) -> dict[str, Any]:
    """The summary of the training; predictions are kept beside it unless it was pruned.

    A model is fitted for each division: its own selection rows choose its epoch and get its predictions. The first
    one also predicts the sequences of the reported split, unless the protocol refits: then a model fitted on all of
    `training` does, for the median of their epochs on the same schedule.
    """
    job = dataclasses.replace(job, data=Path(os.devnull))  # whatever trains is not told where the labels lie
    if not job.predictions.is_dir():
        with making(job.predictions):  # jobs that differ in smoothing alone want the same predictions at once
            if not job.predictions.is_dir():
                summary = _made(job, task, training, divisions, reported, on_epoch)
                if summary["pruned"]:
                    return summary
    return json.loads((job.predictions / SUMMARY).read_text())


def _made(job: Job, task: Task, training: Labels, divisions: Sequence[Division], reported: Sequence[str],
          on_epoch: OnEpoch | None) -> dict[str, Any]:
    models = _fitted(job, task, divisions, on_epoch)
    if models[0].summary["pruned"]:
        return models[0].summary
    selected = pooled([(model.predict(division.selection.sequences), division.selection)
                       for model, division in zip(models, divisions)])
    final, summary = models[0], _summary(models)
    if job.configuration.protocol.refit:
        final = fit_model(job, task, training, None, epochs=summary["epochs"])
        summary = {**summary, "refit": final.summary}
    _keep(job, selected, final, reported, summary)
    return summary


def _fitted(job: Job, task: Task, divisions: Sequence[Division], on_epoch: OnEpoch | None) -> list[Model]:
    """A model for each division; a search prunes by the first one, alone."""
    models: list[Model] = []
    for division in divisions:
        models.append(fit_model(job, task, division.fit, division.selection, None if models else on_epoch))
        if models[0].summary["pruned"]:
            break
    return models


def _summary(models: Sequence[Model]) -> dict[str, Any]:
    """That of the first model, with the epochs that all of them together choose."""
    summaries = [model.summary for model in models]
    if len(summaries) == 1:
        return summaries[0]
    epochs = median_epochs(summaries)
    return {**summaries[0], "epochs": epochs, "epoch": max(epochs.values(), default=0), "folds": summaries}


def _keep(job: Job, selected: Predictions, final: Model, reported: Sequence[str], summary: dict[str, Any]) -> None:
    with writing_directory(job.predictions) as aside:
        selected.save(aside / SELECTED)
        final.predict(reported).save(aside / REPORTED)
        final.save(aside)
        write_json(aside / SUMMARY, summary)
