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
from pathlib import Path
from typing import Any

import numpy as np

from harness import records
from harness.data.dataset import Labels
from harness.files import writing_directory
from harness.jobs.annotated import annotated
from harness.jobs.choice import choose
from harness.jobs.frozen import freeze
from harness.jobs.job import Job
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.jobs.scoring import record_of, scored
from harness.jobs.sealed import Sealed
from harness.jobs.training import REPORTED as REPORTED_FILE
from harness.jobs.training import SELECTION as SELECTION_FILE
from harness.jobs.training import OnEpoch, train
from harness.records import Record
from harness.splits import REPORTED, SELECTION, Division, divided
from harness.statistics import UnitStatistics
from harness.tasks import task as task_named
from harness.tracking.environment import environment


def compute(job: Job, on_epoch: OnEpoch | None = None) -> Record:
    """Train if no predictions are kept, choose on the selection split, then score the reported one.

    A trial of a search stops at the selection split. The job's folder appears whole, record and all, or not at all.
    """
    began = time.time()
    work = _Work(job)
    work.train(on_epoch)
    trained = time.time()
    with writing_directory(job.folder) as aside:
        record = work.pruned() if work.summary["pruned"] else work.finished(aside)
        duration = {"total": time.time() - began, "training": trained - began, "replay": time.time() - trained}
        record = dataclasses.replace(record, duration=duration, environment=_environment(os.getcwd()))
        records.write(aside / "record.json", record)
    return record


class _Work:
    """The steps of one job."""

    def __init__(self, job: Job) -> None:
        self.job, self.task = job, task_named(job.configuration.task)
        self.data = annotated(job.data, self.task.name, job.labels)
        protocol = job.configuration.protocol
        if protocol.name == "published":
            self.divisions = (Division(self.data.training, Sealed(job).published()),)
        else:
            self.divisions = divided(protocol, self.task, self.data.training)
        self.summary: dict[str, Any] = {}

    def train(self, on_epoch: OnEpoch | None) -> None:
        self.summary = train(self.job, self.task, self.data.training, self.divisions, self.data.reported, on_epoch)

    def pruned(self) -> Record:
        return record_of(self.job, self.task, SELECTION, status="pruned", epoch=self.summary["epoch"],
                         selection={self.task.metric: self.summary["value"]})

    def finished(self, folder: Path) -> Record:
        """Everything but the record is written into the folder."""
        job, settings = self.job, self.job.configuration
        for kept in sorted(job.predictions.iterdir()):
            _link(kept, folder / kept.name)
        replay = self._replay(SELECTION_FILE, self._selection())
        choice = choose(replay, settings.smoothing, "half" if settings.head is None else settings.thresholds)
        frozen = freeze(folder, job.job_id, self.summary["epoch"], choice, folder / REPORTED_FILE)
        split = SELECTION
        if settings.kind != "trial":
            split, replay = REPORTED, self._replay(REPORTED_FILE, Sealed(job).open(frozen))
        record, statistics = scored(job, self.task, split, replay, choice, self.summary)
        _save(folder / "statistics.npz", replay.units, statistics)
        return record

    def _selection(self) -> Labels:
        """The rows that are chosen on: of folds, all training rows."""
        return self.divisions[0].selection if len(self.divisions) == 1 else self.data.training

    def _replay(self, file: str, labels: Labels) -> Replay:
        settings = self.job.configuration
        return Replay(self.task, Predictions.load(self.job.predictions / file), labels, self.data.temporal,
                      settings.smoothing.gaps, settings.missing)


def failed(job: Job, error: BaseException) -> Record:
    """The record of a job that raised."""
    return record_of(job, task_named(job.configuration.task), REPORTED, status="failed",
                     error=f"{type(error).__name__}: {error}", environment=_environment(os.getcwd()))


@functools.cache
def _environment(_folder: str) -> dict[str, Any]:
    """Git is asked once by a process in a working directory, not for each job."""
    return environment()


def _save(path: Path, units: tuple[str, ...], statistics: UnitStatistics) -> None:
    np.savez_compressed(path, units=np.array(units, dtype=np.str_), **statistics.arrays)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
