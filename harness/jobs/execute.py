"""Run one job, from its features to the record of its results.

A job may run in a worker process, so it does not log to the tracker. Training and selection see only the labels of the
training split. The labels of the reported split (the dataset's validation split) are read only after the selection was
written to disk, except with the protocol `published`, which selects on them.
"""

from __future__ import annotations

import dataclasses
import functools
import os
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.data.dataset import Labels
from harness.data.splits import REPORTED, SELECTION, Split, make_splits
from harness.features.store import FeatureStore
from harness.jobs import training
from harness.jobs.baselines import predict_previous_label
from harness.jobs.file_hashes import write_hashes
from harness.jobs.frozen_selection import freeze_selection
from harness.jobs.job import LABELS, Job
from harness.jobs.job_folder import JobFolder
from harness.jobs.labels import ReportedLabels, load_training_labels
from harness.jobs.models import constant_outputs
from harness.jobs.predictions import Predictions, frames_with_features
from harness.jobs.replay import Replay
from harness.jobs.scoring import make_record, score_split
from harness.jobs.selection import NO_POSTPROCESSING, PostprocessingChoice, select_postprocessing
from harness.metrics.tasks import get_task
from harness.tracking.environment import environment
from harness.tracking.records import Record
from harness.utils.files import atomic_write_dir
from harness.utils.plotting import optional_figures

NO_TRAINING_SUMMARY = {"epoch": 0, "parameters": 0, "pruned": False}


def run_job(job: Job, on_epoch: training.OnEpoch | None = None) -> Record:
    """Train unless the predictions exist, select postprocessing on the selection split and score the reported split.

    A trial of a search is scored on the selection split instead. The folder of the job is written atomically.

    Parameters
    ----------
    job : Job
        The job.
    on_epoch : callable, optional
        Called after each epoch with its number and its metric on the selection split; returns whether to prune the
        training.

    Returns
    -------
    Record
        The record, which is also in the folder of the job.
    """
    start = time.time()
    steps = (_PreviousLabelSteps if job.configuration.features == LABELS else _JobSteps)(job)
    return _finish_job(steps, steps.train(on_epoch), start)


def train_group(jobs: Sequence[Job], on_epochs: Sequence[training.OnEpoch | None]) -> dict[str, Record]:
    """Train a group of jobs together (see `harness.runner.scheduler`) and save their predictions.

    `run_job` then does the rest of each job. A training that several jobs share is pruned only if the
    callbacks of all these jobs request it.

    Parameters
    ----------
    jobs : sequence of Job
        The jobs of the group.
    on_epochs : sequence of callable or None
        The callback of each job, see `run_job`.

    Returns
    -------
    dict of str to Record
        Records of the pruned jobs, by job id.
    """
    start = time.time()
    steps, callbacks = _JobSteps(jobs[0]), dict[str, list[training.OnEpoch]]()
    for job, on_epoch in zip(jobs, on_epochs):
        callbacks.setdefault(job.training_id, []).extend([on_epoch] if on_epoch else [])
    first = {job.training_id: job for job in reversed(jobs)}
    pruned = training.train_jobs(
        list(first.values()),
        steps.task,
        steps.data.training,
        steps.splits,
        steps.data.reported,
        [functools.partial(_call_all, callbacks[name]) if callbacks[name] else None for name in first],
    )
    return {
        job.job_id: _finish_job(_JobSteps(job), pruned[job.training_id], start)
        for job in jobs
        if job.training_id in pruned
    }


def _call_all(callbacks: Sequence[training.OnEpoch], epoch: int, value: float) -> bool:
    """Call all callbacks, even after one returned False; return whether all returned True."""
    answers = [on_epoch(epoch, value) for on_epoch in callbacks]
    return all(answers)


def _finish_job(steps: _JobSteps, summary: dict[str, Any], start: float) -> Record:
    """Select postprocessing, score, and write the folder of the job."""
    trained = time.time()
    with atomic_write_dir(steps.job.folder) as temp_dir:
        record = steps.make_pruned_record(summary) if summary["pruned"] else steps.finish(temp_dir, summary)
        duration = {"total": time.time() - start, "training": trained - start, "replay": time.time() - trained}
        record = dataclasses.replace(record, duration=duration, **_provenance(steps.job))
        JobFolder(temp_dir).write_record(record)
        write_hashes(temp_dir)
    return record


class _JobSteps:
    """Steps of a job with a model."""

    def __init__(self, job: Job) -> None:
        self.job, self.task = job, get_task(job.configuration.task)
        self.data = load_training_labels(job.data, self.task.name, job.labels)

    def train(self, on_epoch: training.OnEpoch | None) -> dict[str, Any]:
        return training.train_job(self.job, self.task, self.data.training, self.splits, self.data.reported, on_epoch)

    @functools.cached_property
    def splits(self) -> tuple[Split, ...]:
        protocol = self.job.configuration.protocol
        if protocol.name == "published":
            return (Split(self.data.training, ReportedLabels(self.job).open_for_selection()),)
        return make_splits(protocol, self.task, self.data.training, self.job.seed)

    def make_pruned_record(self, summary: dict[str, Any]) -> Record:
        return make_record(
            self.job,
            self.task,
            SELECTION,
            status="pruned",
            epoch=summary["epoch"],
            selection={self.task.metric: summary["value"]},
        )

    def finish(self, folder: Path, summary: dict[str, Any]) -> Record:
        """Select and score; write all files to the folder except the record and the hashes."""
        job, files = self.job, JobFolder(folder)
        for file in job.predictions.iterdir():
            _link_or_copy(file, folder / file.name)
        selection = self.replay(Predictions.load(files.selection), self._selection_labels())
        choice = select_postprocessing(selection, job.configuration.smoothing, self._threshold_mode())
        selection_record = freeze_selection(folder, job.job_id, summary["epoch"], choice, files.reported, files.model)
        if job.configuration.kind == "trial":
            return self.score(folder, SELECTION, selection, choice, summary)
        reported = self.replay(Predictions.load(files.reported), ReportedLabels(job).open(selection_record))
        return self.score(folder, REPORTED, reported, choice, summary)

    def replay(self, predictions: Predictions, labels: Labels) -> Replay:
        settings = self.job.configuration
        return Replay(self.task, predictions, labels, self.data.temporal, settings.smoothing.gaps, settings.missing)

    def score(
        self, folder: Path, split: str, replay: Replay, choice: PostprocessingChoice, summary: dict[str, Any]
    ) -> Record:
        """Score a split; write its statistics and, if the job has them, its figures."""
        job = self.job
        record, statistics = score_split(job, self.task, split, replay, choice, summary)
        JobFolder(folder).write_statistics(replay.units, statistics)
        is_first = job.seed == job.expected_seeds[0] and job.training in (None, *job.expected_trainings[:1])
        if job.pictures and job.configuration.kind == "run" and is_first:
            with optional_figures(f"job {record.job_id}"):
                from harness.jobs.figures import plot_run

                plot_run(folder, record, replay, choice, statistics)
        return record

    def _selection_labels(self) -> Labels:
        """Return the labels of the selection split; with cross-validation, of all training rows."""
        return self.splits[0].selection if len(self.splits) == 1 else self.data.training

    def _threshold_mode(self) -> str:
        settings = self.job.configuration
        return "half" if settings.head is None else settings.thresholds


class _PreviousLabelSteps(_JobSteps):
    """Steps of the baseline that repeats the previous label, which has no training, selection or model."""

    def train(self, on_epoch: training.OnEpoch | None) -> dict[str, Any]:
        return NO_TRAINING_SUMMARY

    def finish(self, folder: Path, summary: dict[str, Any]) -> Record:
        labels = ReportedLabels(self.job).open(freeze_selection(folder, self.job.job_id, 0, NO_POSTPROCESSING, None))
        entry = FeatureStore(self.job.store.features).entry(self.job.entry)
        outputs = predict_previous_label(
            self.task,
            frames_with_features(entry, self.data.reported),
            labels,
            constant_outputs(self.task, self.data.training),
        )
        outputs.save(JobFolder(folder).reported)
        return self.score(folder, REPORTED, self.replay(outputs, labels), NO_POSTPROCESSING, summary)


def make_failed_record(job: Job, error: BaseException) -> Record:
    """Create the record of a job that failed with an error."""
    return make_record(
        job,
        get_task(job.configuration.task),
        REPORTED,
        status="failed",
        error=f"{type(error).__name__}: {error}",
        **_provenance(job),
    )


def _provenance(job: Job) -> dict[str, Any]:
    """Return the environment and the code of a job, as fields of its record."""
    described = _cached_environment(str(Path.cwd()))
    return {"environment": described, "code": job.code.to_dict(described) if job.code else {}}


@functools.cache
def _cached_environment(_folder: str) -> dict[str, Any]:
    """Return the environment; git runs once for each process and working directory, not for each job."""
    return environment()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
