"""One job from its feature entry to its record. Runs in a worker; talks to no tracker."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from harness.data.dataset import Dataset, Labels
from harness.data.open import open_dataset
from harness.files import writing_directory
from harness.identity import plain
from harness.jobs.choice import Choice, choose
from harness.jobs.job import Job
from harness.jobs.predictions import Predictions
from harness.jobs.replay import Replay
from harness.jobs.splits import REPORTED, TRAINING, fit_and_selection
from harness.records import Record
from harness.statistics import bootstrap
from harness.tasks import Task, task as task_named

REPLICATES = 10_000

OnEpoch = Callable[[int, float], bool]
"""Called with the epoch and the selection metric; True stops the training as pruned."""


def compute(job: Job, on_epoch: OnEpoch | None = None) -> Record:
    """Train if no predictions are kept, choose on the selection split, then score the reported one."""
    began = time.time()
    task = task_named(job.configuration.task)
    dataset = open_dataset(job.data)
    training = dataset.labels(task.name, TRAINING)
    fit, selection = fit_and_selection(job.configuration.protocol, training)
    if selection is None:
        selection = dataset.labels(task.name, REPORTED)
    if not (job.predictions / "training.json").is_file():
        _predict(job, task, dataset, fit, selection, on_epoch)
    trained = time.time()
    kept = json.loads((job.predictions / "training.json").read_text())
    if kept["pruned"]:
        return _record(job, task, {"status": "pruned", "selection": {task.metric: kept["value"]},
                                   "epoch": kept["epoch"], "duration": {"total": trained - began}})
    replay = Replay(task, Predictions.load(job.predictions / "selection.npz"), selection, dataset.temporal)
    learned = job.configuration.head is not None
    choice = choose(replay, job.configuration.smoothing, thresholds=learned)
    record = _report(job, task, dataset, choice, kept)
    duration = {"total": time.time() - began, "training": trained - began, "replay": time.time() - trained}
    return dataclasses.replace(record, duration=duration)


def _predict(job: Job, task: Task, dataset: Dataset, fit: Labels, selection: Labels,
             on_epoch: OnEpoch | None) -> None:
    from harness.jobs.models import fit_model

    model = fit_model(job, task, fit, selection, on_epoch)
    reported = dataset.members(task.name, REPORTED)
    with writing_directory(job.predictions) as aside:
        for name, sequences in (("selection", selection.sequences), ("reported", reported)):
            model.predict(sequences).save(aside / f"{name}.npz")
        model.save(aside)
        (aside / "training.json").write_text(json.dumps(model.summary, indent=1, sort_keys=True))


def _report(job: Job, task: Task, dataset: Dataset, choice: Choice, kept: dict) -> Record:
    """The record of a frozen choice: the first and only place that reads the reported split's labels for a score."""
    replay = Replay(task, Predictions.load(job.predictions / "reported.npz"),
                    dataset.labels(task.name, REPORTED), dataset.temporal)
    thresholds = 0.5 if choice.thresholds is None else np.array(choice.thresholds)
    kernel = "mean" if choice.kernel == "none" else choice.kernel
    outputs = next(replay.smoothed(kernel, [choice.radius]))[1]
    statistics = replay.statistics(outputs, thresholds)
    score = replay.score(outputs, thresholds)
    metrics = dict(score.metrics)
    if choice.thresholds is not None:
        at_half = replay.score(outputs, 0.5).metrics
        metrics |= {f"{name}/threshold_0.5": at_half[name] for name in ("P_AU", "P_MTL") if name in at_half}
    replicates = bootstrap(statistics, task.metric, REPLICATES, seed=0)
    low, high = np.percentile(replicates, [2.5, 97.5])
    radii = list(job.configuration.smoothing.radii()) if dataset.temporal else [0]
    curves = {name: {"radius": radii, "selected": selected,
                     "reported": replay.curve(name, range(radii[0], radii[-1] + 1), thresholds)}
              for name, selected in choice.curves.items()}
    record = _record(job, task, {
        "status": "finished", "metrics": metrics, "undefined": list(score.undefined),
        "unsmoothed": replay.score(replay.raw(), thresholds).metrics, "selection": {task.metric: choice.value},
        "kernel": choice.kernel, "radius": choice.radius,
        "thresholds": None if choice.thresholds is None else list(choice.thresholds), "epoch": kept["epoch"],
        "parameters": job.backbone_parameters + kept["parameters"] if kept["parameters"] else 0,
        "coverage": replay.coverage, "annotated": replay.annotated, "scored": replay.scored,
        "units": len(replay.units), "ci_low": float(low), "ci_high": float(high), "curve": curves})
    with writing_directory(job.folder) as aside:
        np.savez(aside / "statistics.npz", units=np.array(replay.units, dtype=np.str_), **statistics.arrays)
        (aside / "history.json").write_text(json.dumps(kept["history"], indent=1, sort_keys=True))
    return record


def _record(job: Job, task: Task, results: dict) -> Record:
    configuration = job.configuration
    head = configuration.head
    return Record(
        job_id=job.job_id, group_id=job.group_id, kind=configuration.kind, task=task.name, dataset=job.dataset,
        data_digest=configuration.data, split=REPORTED, protocol=configuration.protocol.name, backbone=job.backbone,
        backbone_weights=job.weights, backbone_random=job.random_weights, weights_hash=job.weights_hash,
        features=configuration.features, head=head.kind if head else "constant", seed=job.seed,
        expected_seeds=list(job.expected_seeds), metric=task.metric, config=plain(configuration), recipe=job.recipe,
        **results)


def record_path(job: Job) -> Path:
    return job.folder / "record.json"
