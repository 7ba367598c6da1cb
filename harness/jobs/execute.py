"""One job from its feature entry to its record. Runs in a worker; talks to no tracker.

The order is the seal: what trains and chooses is given the training labels alone, the choice is frozen on disk, and
only then are the labels of the reported split opened and scored.
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

NO_TRAINING_SUMMARY = {"epoch": 0, "parameters": 0, "pruned": False}


def run_job(job: Job, on_epoch: training.OnEpoch | None = None) -> Record:
    """Train if no predictions are kept, choose on the selection split, then score the reported one.

    A trial of a search stops at the selection split. The job's folder appears whole, record and all, or not at all.
    """
    began = time.time()
    work = (_PreviousLabelSteps if job.configuration.features == LABELS else _JobSteps)(job)
    return _finish_job(work, work.train(on_epoch), began)


def train_group(jobs: Sequence[Job], on_epochs: Sequence[training.OnEpoch | None]) -> dict[str, Record]:
    """Train a group of `harness.runner.scheduler`: the records of the jobs that were pruned, by job id.

    The others' predictions are kept, so that `run_job` does the rest of each; but not of a job that cannot be trained.
    A training that several jobs share is pruned when all of them say so.
    """
    began = time.time()
    work, asked = _JobSteps(jobs[0]), dict[str, list[training.OnEpoch]]()
    for job, on_epoch in zip(jobs, on_epochs):
        asked.setdefault(job.training_id, []).extend([on_epoch] if on_epoch else [])
    first = {job.training_id: job for job in reversed(jobs)}
    pruned = training.train_jobs(
        list(first.values()),
        work.task,
        work.data.training,
        work.splits,
        work.data.reported,
        [functools.partial(_call_all, asked[name]) if asked[name] else None for name in first],
    )
    return {
        job.job_id: _finish_job(_JobSteps(job), pruned[job.training_id], began)
        for job in jobs
        if job.training_id in pruned
    }


def _call_all(asked: Sequence[training.OnEpoch], epoch: int, value: float) -> bool:
    """Each is told, whatever the others answer."""
    return all([on_epoch(epoch, value) for on_epoch in asked])


def _finish_job(work: _JobSteps, summary: dict[str, Any], began: float) -> Record:
    """What is left to do after the training, and the folder of the job."""
    trained = time.time()
    with atomic_write_dir(work.job.folder) as aside:
        record = work.make_pruned_record(summary) if summary["pruned"] else work.finish(aside, summary)
        duration = {"total": time.time() - began, "training": trained - began, "replay": time.time() - trained}
        record = dataclasses.replace(record, duration=duration, environment=_cached_environment(os.getcwd()))
        JobFolder(aside).write_record(record)
    return record


class _JobSteps:
    """The steps of a job that chooses."""

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
        return make_splits(protocol, self.task, self.data.training)

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
        """Everything but the record is written into the folder."""
        job, files = self.job, JobFolder(folder)
        for file in job.predictions.iterdir():
            _link_or_copy(file, folder / file.name)
        selected = self.replay(Predictions.load(files.selection), self._selection_labels())
        choice = select_postprocessing(selected, job.configuration.smoothing, self._threshold_mode())
        frozen = freeze_selection(folder, job.job_id, summary["epoch"], choice, files.reported, files.model)
        if job.configuration.kind == "trial":
            return self.score(folder, SELECTION, selected, choice, summary)
        reported = self.replay(Predictions.load(files.reported), ReportedLabels(job).open(frozen))
        return self.score(folder, REPORTED, reported, choice, summary)

    def replay(self, predictions: Predictions, labels: Labels) -> Replay:
        settings = self.job.configuration
        return Replay(self.task, predictions, labels, self.data.temporal, settings.smoothing.gaps, settings.missing)

    def score(
        self, folder: Path, split: str, replay: Replay, choice: PostprocessingChoice, summary: dict[str, Any]
    ) -> Record:
        """The record; beside it the statistics, and the pictures where the job has them."""
        job = self.job
        record, statistics = score_split(job, self.task, split, replay, choice, summary)
        JobFolder(folder).write_statistics(replay.units, statistics)
        if job.pictures and job.configuration.kind == "run" and job.seed == job.expected_seeds[0]:
            from harness.jobs.figures import plot_run

            plot_run(folder, record, replay, choice, statistics)
        return record

    def _selection_labels(self) -> Labels:
        """The rows that are chosen on: of folds, all training rows."""
        return self.splits[0].selection if len(self.splits) == 1 else self.data.training

    def _threshold_mode(self) -> str:
        settings = self.job.configuration
        return "half" if settings.head is None else settings.thresholds


class _PreviousLabelSteps(_JobSteps):
    """The baseline that repeats the previous label: nothing is trained or chosen, and no model is kept."""

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
    """The record of a job that raised."""
    return make_record(
        job,
        get_task(job.configuration.task),
        REPORTED,
        status="failed",
        error=f"{type(error).__name__}: {error}",
        environment=_cached_environment(os.getcwd()),
    )


@functools.cache
def _cached_environment(_folder: str) -> dict[str, Any]:
    """Git is asked once by a process in a working directory, not for each job."""
    return environment()


def _link_or_copy(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
