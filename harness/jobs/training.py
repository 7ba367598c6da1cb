"""Kept predictions of a job: models are fitted for choosing, and one predicts the reported split. Sees no label of it.

What is kept, whole or not at all: `selection.npz`, `reported.npz`, `training.json` and the model's own files.
"""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from harness.data.dataset import Labels
from harness.files import write_json, writing_directory
from harness.jobs.job import Job
from harness.jobs.models import Model, fit_model
from harness.jobs.pooling import pooled
from harness.splits import Division
from harness.tasks import Task

OnEpoch = Callable[[int, float], bool]
"""Called with the epoch and the selection metric; True stops the training as pruned."""

SELECTION, REPORTED, SUMMARY = "selection.npz", "reported.npz", "training.json"


def train(job: Job, task: Task, training: Labels, divisions: Sequence[Division], reported: Sequence[str],
          on_epoch: OnEpoch | None) -> dict[str, Any]:
    """The summary of the training; predictions are kept beside it unless it was pruned.

    A model is fitted for each division. Its own selection rows choose its epoch and get its predictions; with one
    division and no refit it also predicts the sequences of the reported split. Else a last model, fitted on
    all of `training` up to the median of those epochs, does.
    """
    job = dataclasses.replace(job, data=Path(os.devnull))  # whatever trains has no way to the labels
    if not job.predictions.is_dir():
        fitted = _Fitted(job, task, divisions, on_epoch)
        if fitted.summary["pruned"]:
            return fitted.summary
        model, summary = fitted.models[0], fitted.summary
        if job.configuration.protocol.refit:
            model = _refit(job, task, training, divisions[0].selection, summary["epoch"])
            summary = {**summary, "refit": model.summary["history"]}
        with writing_directory(job.predictions) as aside:
            fitted.selected().save(aside / SELECTION)
            model.predict(reported).save(aside / REPORTED)
            model.save(aside)
            write_json(aside / SUMMARY, summary)
    return json.loads((job.predictions / SUMMARY).read_text())


class _Fitted:
    """A model for each division; a search prunes by the first one alone."""

    def __init__(self, job: Job, task: Task, divisions: Sequence[Division], on_epoch: OnEpoch | None) -> None:
        self.divisions, self.models = divisions, []
        for division in divisions:
            self.models.append(fit_model(job, task, division.fit, division.selection,
                                         None if self.models else on_epoch))
            if self.models[0].summary["pruned"]:
                break

    @property
    def summary(self) -> dict[str, Any]:
        """That of the first model, with the epoch that all of them together choose."""
        first = self.models[0].summary
        if len(self.models) == 1:
            return first
        kept = [{name: model.summary.get(name) for name in ("epoch", "value", "history")} for model in self.models]
        return {**first, "epoch": int(median(fold["epoch"] for fold in kept) + 0.5), "folds": kept}

    def selected(self):
        """Predictions of all selection rows, each by the model that never saw its video."""
        return pooled([(model.predict(division.selection.sequences), division.selection)
                       for model, division in zip(self.models, self.divisions)])


def _refit(job: Job, task: Task, training: Labels, watched: Labels, epoch: int) -> Model:
    """All training rows, `epoch` epochs of the same schedule; `watched` rows decide nothing."""
    head = job.configuration.head
    if head is None:
        return fit_model(job, task, training, watched, None)
    configuration = dataclasses.replace(job.configuration, head=dataclasses.replace(head, keep="last"))
    return fit_model(dataclasses.replace(job, configuration=configuration), task, training, watched,
                     lambda done, _: done >= epoch)
