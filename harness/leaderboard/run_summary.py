"""Everything about one run: its jobs, scores, exports, files and verification."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from harness.leaderboard.learned_images import learned_images
from harness.leaderboard.repetitions import group_by_training, training_groups
from harness.leaderboard.runs import find_records
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.verification import RunVerifier
from harness.leaderboard.verification_result import Verification
from harness.metrics.effective_units import few_units
from harness.metrics.intervals import Interval, confidence_intervals
from harness.metrics.pooled_scores import score
from harness.metrics.rare_classes import rare_classes, score_without
from harness.metrics.variance_components import VarianceComponents, variance_components
from harness.tracking import mlflow_runs, remote_job_files, tracked_records
from harness.tracking.export_records import ExportRecord, read_exports
from harness.tracking.records import Record
from harness.utils.store import Store


@dataclass(frozen=True, eq=False)
class MetricSummary:
    """A metric of a run.

    Attributes
    ----------
    value : float
        Mean over seeds.
    interval : Interval
        95% CI over units and seeds.
    undefined : bool
        Whether the metric is undefined for some seed, where it counts as 0.
    few_units : float or None
        For the F1 of a class or action unit whose labels come from few units: the effective number of these units.
        See `harness.metrics.effective_units`.
    """

    name: str
    value: float
    interval: Interval
    undefined: bool
    few_units: float | None = None


@dataclass(frozen=True, eq=False)
class RunSummary:
    """One run with all its seeds.

    Attributes
    ----------
    records : tuple of Record
        One record for each finished job: for each seed, and for each training of the backbone if there are several.
    metrics : tuple of MetricSummary
        The task's metric first, then its parts: scores of classes and outputs.
    exports : tuple of ExportRecord
        Cost and score of the files that the run was exported to.
    folders : tuple of Path
        The folder of each job.
    mlflow_runs : mapping of str to str
        MLflow's run id by job id.
    verification : Verification
        Whether the files are unchanged since the jobs wrote them, and whether they yield the recorded scores.
    learned : mapping or None
        What is known about the images that the backbone was trained on; see `learned_images`.
    rare_classes : mapping of str to int
        Number of labels of each class with few labels, by the metric of the class; see `harness.metrics.rare_classes`.
    without_rare : float or None
        The task's metric without the rare classes, averaged over seeds; None if no class is rare, or none is left.
    """

    records: tuple[Record, ...]
    metrics: tuple[MetricSummary, ...]
    exports: tuple[ExportRecord, ...]
    folders: tuple[Path, ...]
    mlflow_runs: Mapping[str, str]
    tracking_uri: str
    verification: Verification
    learned: Mapping[str, Any] | None
    rare_classes: Mapping[str, int]
    without_rare: float | None

    @property
    def spread(self) -> VarianceComponents:
        """Standard deviations of the task's metric between trainings of the backbone and between seeds."""
        trainings = group_by_training(self.records).values()
        return variance_components([[job.metrics[job.metric] for job in jobs] for jobs in trainings])

    def as_dict(self) -> dict[str, Any]:
        """Return the summary as JSON values."""
        first = self.records[0]
        return {
            **{name: getattr(first, name) for name in ("group_id", "kind", "recipe", "task", "dataset", "data_digest")},
            **{name: getattr(first, name) for name in ("split", "protocol", "backbone", "backbone_weights")},
            **{name: getattr(first, name) for name in ("features", "head", "parameters", "coverage", "units", "unit")},
            "flags": list(first.flags),
            "settings": dict(first.config),
            "spread": vars(self.spread),
            "seeds": {
                _repetition_key(record): {
                    "job_id": record.job_id,
                    "training": record.training,
                    "value": record.metrics[record.metric],
                    "epoch": record.epoch,
                    "kernel": record.kernel,
                    "radius": record.radius,
                    "thresholds": None if record.thresholds is None else list(record.thresholds),
                    "mlflow_run": self.mlflow_runs.get(record.job_id),
                    "files": str(folder),
                }
                for record, folder in zip(self.records, self.folders)
            },
            "metrics": {
                one.name: {
                    "value": one.value,
                    "corrected": one.interval.corrected,
                    "ci_low": one.interval.low,
                    "ci_high": one.interval.high,
                    "undefined": one.undefined,
                    "few_units": one.few_units,
                }
                for one in self.metrics
            },
            "rare_classes": dict(self.rare_classes),
            "without_rare": self.without_rare,
            "exports": [vars(export) for export in self.exports],
            "tracking_uri": self.tracking_uri,
            "code": [dict(code) for code in distinct_code(self.records)],
            "learned_images": self.learned,
            "verified": self.verification.verified,
            "problems": list(self.verification.problems),
        }


def summarize_run(store: Store, run: str) -> RunSummary:
    """Collect everything about a run.

    Parameters
    ----------
    store : Store
    run : str
        A run id or its first characters, a job id (one seed), or `best:TASK`.

    Raises
    ------
    InputError
        If the run does not exist, or its statistics are missing.
    """
    cache = SignificanceCache(store, remote_job_files(store))
    verifier = RunVerifier(store, cache, full=True)
    records = tuple(find_records(tracked_records(store), run, verifier.verify))
    statistics = [cache.statistics(record)[1] for record in records]
    groups = training_groups([(record, record) for record in records])
    main, undefined = records[0].metric, {name for record in records for name in record.undefined}
    others = set.intersection(*(set(record.metrics) for record in records)) - {main}
    names = [main, *(name for name in score(statistics[0]).metrics if name in others)]
    intervals, few = confidence_intervals(statistics, names, groups=groups), few_units(statistics)
    metrics = tuple(
        MetricSummary(
            name,
            sum(record.metrics[name] for record in records) / len(records),
            intervals[name],
            name in undefined,
            few.get(name),
        )
        for name in names
    )
    jobs = {record.job_id for record in records}
    exports = tuple(export for export in read_exports(store) if export.job_id in jobs)
    runs, uri = mlflow_runs(store, jobs)
    folders = tuple(store.job(record.job_id) for record in records)
    verification = verifier.verify(records)
    verifier.save()
    learned, rare = learned_images(records[0], store), rare_classes(statistics[0])
    without = [score_without(each, main, rare) for each in statistics] if rare else []
    values = [value for value in without if value is not None]
    without_rare = fmean(values) if values else None
    return RunSummary(records, metrics, exports, folders, runs, uri, verification, learned, rare, without_rare)


def distinct_code(records: Iterable[Record]) -> list[Mapping[str, Any]]:
    """Return the distinct values of `code` in the records; [{}] if no code was recorded."""
    return list({json.dumps(dict(record.code), sort_keys=True): record.code for record in records}.values())


def _repetition_key(record: Record) -> str:
    return str(record.seed) if record.training is None else f"t{record.training}-s{record.seed}"
