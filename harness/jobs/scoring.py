"""Score a split with the selected postprocessing, and create the record."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.data.splits import REPORTED
from harness.jobs.job import Configuration, Job
from harness.jobs.replay import Replay
from harness.jobs.selection import PostprocessingChoice
from harness.metrics.intervals import confidence_interval
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import Task
from harness.metrics.unit_statistics import SufficientStatistics
from harness.tracking.records import Record
from harness.utils.hashing import to_jsonable

UNTRAINED_HEAD_LABELS = {"none": "constant", "scores": "zero-shot"}
"""For a job without a trained head: maps the features of the job to the value of `head` in its record."""


def score_split(
    job: Job, task: Task, split: str, replay: Replay, choice: PostprocessingChoice, summary: dict[str, Any]
) -> tuple[Record, SufficientStatistics]:
    """Score one split with the selected postprocessing.

    Parameters
    ----------
    job : Job
        The job.
    task : Task
        Its task.
    split : str
        Name of the split.
    replay : Replay
        Predictions and labels of the split.
    choice : PostprocessingChoice
        The selected postprocessing.
    summary : dict
        Summary of the training.

    Returns
    -------
    record : Record
        The record.
    statistics : SufficientStatistics
        Statistics of each unit.
    """
    thresholds = 0.5 if choice.thresholds is None else np.array(choice.thresholds)

    def compute_metrics(radius: int, thresholds: np.ndarray | float) -> dict[str, float]:
        return next(replay.iter_scores(choice.kernel, [radius], thresholds)).metrics

    statistics = replay.statistics(choice.kernel, choice.radius, thresholds)
    scores = score(statistics)
    metrics = dict(scores.metrics)
    if choice.thresholds is not None:
        at_half = compute_metrics(choice.radius, 0.5)
        metrics |= {f"{name}/threshold_0.5": at_half[name] for name in ("P_AU", "P_MTL") if name in at_half}
    interval = confidence_interval([statistics], task.metric)
    radii = job.configuration.smoothing.radii() if replay.temporal else range(1)
    curves = {name: {"radius": list(radii), "selected": selected} for name, selected in choice.curves.items()}
    if split == REPORTED:
        for name, columns in curves.items():
            columns["reported"] = replay.metric_curve(name, radii, thresholds)
    record = make_record(
        job,
        task,
        split,
        status="finished",
        metrics=metrics,
        undefined=list(scores.undefined),
        unsmoothed=dict(compute_metrics(0, thresholds)),
        selection={} if choice.value is None else {task.metric: choice.value},
        kernel=choice.kernel,
        radius=choice.radius,
        thresholds=None if choice.thresholds is None else list(choice.thresholds),
        epoch=summary["epoch"],
        parameters=job.backbone_parameters + summary["parameters"],
        coverage=replay.coverage,
        annotated=replay.annotated,
        scored=replay.scored,
        units=len(replay.units),
        unit="video" if replay.temporal else "subject",
        ci_low=interval.low,
        ci_high=interval.high,
        curve=curves,
    )
    return record, statistics


def make_record(job: Job, task: Task, split: str, **results: Any) -> Record:
    """Create the record of a job; `results` are further fields of `Record`."""
    configuration = job.configuration
    return Record(
        **job.display_labels(),
        job_id=job.job_id,
        group_id=job.group_id,
        kind=configuration.kind,
        task=task.name,
        data_digest=configuration.data,
        split=split,
        protocol=configuration.protocol.name,
        features=configuration.features,
        head=_head_label(configuration),
        seed=job.seed,
        metric=task.metric,
        config=to_jsonable(configuration),
        **results,
    )


def _head_label(configuration: Configuration) -> str:
    """Return the kind of head, or a label such as `constant` if no head is trained."""
    if configuration.head is not None:
        return configuration.head.kind
    return UNTRAINED_HEAD_LABELS.get(configuration.features, "none")
