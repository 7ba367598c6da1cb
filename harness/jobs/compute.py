"""One job from its feature entry to its record. Runs in a worker; talks to no tracker."""

from __future__ import annotations

import dataclasses
import functools
import json
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness import records
from harness.data.dataset import Labels
from harness.files import writing_directory
from harness.identity import plain
from harness.jobs.annotated import Annotated, annotated
from harness.jobs.choice import Choice, choose
from harness.jobs.job import Job
from harness.jobs.models import fit_model
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.records import Record
from harness.splits import REPORTED, SELECTION, fit_and_selection
from harness.statistics import UnitStatistics, bootstrap, score
from harness.tasks import Task
from harness.tasks import task as task_named
from harness.tracking.environment import environment

REPLICATES = 10_000


Kept = tuple[tuple[str, ...], UnitStatistics]
"""Names of the units, and their sufficient statistics."""

OnEpoch = Callable[[int, float], bool]
"""Called with the epoch and the selection metric; True stops the training as pruned."""


def compute(job: Job, on_epoch: OnEpoch | None = None) -> Record:
    """Train if no predictions are kept, choose on the selection split, then score the reported one.

    A trial of a search stops at the selection split. The job's folder appears whole, record and all, or not at all.
    """
    began = time.time()
    task = task_named(job.configuration.task)
    data = annotated(job.data, task.name, job.labels)
    fit, selection = fit_and_selection(job.configuration.protocol, data.training)
    if selection is None:
        selection = data.reported
    kept = _trained(job, task, data, fit, selection, on_epoch)
    trained = time.time()
    statistics = None
    if kept["pruned"]:
        record = _record(job, task, SELECTION, status="pruned", selection={task.metric: kept["value"]},
                         epoch=kept["epoch"])
    else:
        replay = Replay(task, Predictions.load(job.predictions / "selection.npz"), selection, data.temporal)
        choice = choose(replay, job.configuration.smoothing, thresholds=job.configuration.head is not None)
        if job.configuration.kind == "trial":
            record, statistics = _score(job, task, SELECTION, replay, choice, kept)
        else:
            reported = Replay(task, Predictions.load(job.predictions / "reported.npz"), data.reported, data.temporal)
            record, statistics = _score(job, task, REPORTED, reported, choice, kept)
    duration = {"total": time.time() - began, "training": trained - began, "replay": time.time() - trained}
    record = dataclasses.replace(record, duration=duration, environment=_environment(os.getcwd()))
    _keep(job, record, statistics)
    return record


def _trained(job: Job, task: Task, data: Annotated, fit: Labels, selection: Labels,
             on_epoch: OnEpoch | None) -> dict:
    """The summary of the training; predictions are kept beside it unless it was pruned."""
    if not job.predictions.is_dir():
        model = fit_model(job, task, fit, selection, on_epoch)
        if model.summary["pruned"]:
            return model.summary
        with writing_directory(job.predictions) as aside:
            model.predict(selection.sequences).save(aside / "selection.npz")
            model.predict(data.members).save(aside / "reported.npz")
            model.save(aside)
            (aside / "training.json").write_text(json.dumps(model.summary, indent=1, sort_keys=True))
    return json.loads((job.predictions / "training.json").read_text())


def _score(job: Job, task: Task, split: str, replay: Replay, choice: Choice, kept: dict) -> tuple[Record, Kept]:
    """The record of a frozen choice on one split."""
    thresholds = 0.5 if choice.thresholds is None else np.array(choice.thresholds)

    def scores(radius: int, thresholds: np.ndarray | float) -> dict[str, float]:
        return next(replay.scores(choice.kernel, [radius], thresholds)).metrics

    statistics = replay.statistics(choice.kernel, choice.radius, thresholds)
    scored = score(statistics)
    metrics = dict(scored.metrics)
    if choice.thresholds is not None:
        at_half = scores(choice.radius, 0.5)
        metrics |= {f"{name}/threshold_0.5": at_half[name] for name in ("P_AU", "P_MTL") if name in at_half}
    low, high = np.percentile(bootstrap(statistics, task.metric, REPLICATES, seed=0), [2.5, 97.5])
    radii = job.configuration.smoothing.radii() if replay.temporal else range(1)
    curves = {name: {"radius": list(radii), "selected": selected} for name, selected in choice.curves.items()}
    if split == REPORTED:
        for name, columns in curves.items():
            columns["reported"] = replay.curve(name, radii, thresholds)
    record = _record(
        job, task, split, status="finished", metrics=metrics, undefined=list(scored.undefined),
        unsmoothed=dict(scores(0, thresholds)), selection={task.metric: choice.value},
        kernel=choice.kernel, radius=choice.radius,
        thresholds=None if choice.thresholds is None else list(choice.thresholds), epoch=kept["epoch"],
        parameters=job.backbone_parameters + kept["parameters"] if kept["parameters"] else 0,
        coverage=replay.coverage, annotated=replay.annotated, scored=replay.scored, units=len(replay.units),
        unit="video" if replay.temporal else "subject", ci_low=float(low), ci_high=float(high), curve=curves)
    return record, (replay.units, statistics)


def _record(job: Job, task: Task, split: str, **results: object) -> Record:
    configuration, head = job.configuration, job.configuration.head
    return Record(
        job_id=job.job_id, group_id=job.group_id, kind=configuration.kind, task=task.name, dataset=job.dataset,
        data_digest=configuration.data, split=split, protocol=configuration.protocol.name, backbone=job.backbone,
        backbone_weights=job.weights, backbone_random=job.random_weights, weights_hash=job.weights_hash,
        features=configuration.features, head=head.kind if head else "constant", seed=job.seed,
        expected_seeds=list(job.expected_seeds), metric=task.metric, config=plain(configuration), recipe=job.recipe,
        flags=job.flags,
        **results)


def failed(job: Job, error: BaseException) -> Record:
    """The record of a job that raised."""
    return _record(job, task_named(job.configuration.task), REPORTED, status="failed",
                   error=f"{type(error).__name__}: {error}", environment=_environment(os.getcwd()))


@functools.cache
def _environment(_folder: str) -> dict[str, Any]:
    """Git is asked once by a process in a working directory, not for each job."""
    return environment()


def _keep(job: Job, record: Record, statistics: Kept | None) -> None:
    with writing_directory(job.folder) as aside:
        if record.status == "finished":
            for kept in sorted(job.predictions.iterdir()):
                _link(kept, aside / kept.name)
        if statistics is not None:
            units, per_unit = statistics
            np.savez_compressed(aside / "statistics.npz", units=np.array(units, dtype=np.str_), **per_unit.arrays)
        records.write(aside / "record.json", record)


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
