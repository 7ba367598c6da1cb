"""Everything about one run, as `framelight show` prints it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill, wrap
from typing import Any

from harness.jobs.job_folder import JobFolder
from harness.leaderboard.columns import format_smoothing
from harness.leaderboard.learned_images import describe_learned_images, learned_images
from harness.leaderboard.repetitions import group_by_training, training_indices
from harness.leaderboard.rows import Verification
from harness.leaderboard.runs import find_records
from harness.leaderboard.significance import SignificanceCache
from harness.leaderboard.table_layout import join_phrases, wrap_sentence
from harness.leaderboard.verification import RunVerifier
from harness.metrics.effective_units import few_units
from harness.metrics.intervals import Interval, confidence_intervals
from harness.metrics.pooled_scores import score
from harness.metrics.tasks import ACTION_UNITS
from harness.metrics.variance_components import VarianceComponents, variance_components
from harness.tracking import mlflow_runs, remote_job_files, tracked_records
from harness.tracking.code_identity import describe_code
from harness.tracking.export_records import ExportRecord, read_exports
from harness.tracking.records import FLAGS, Record
from harness.utils.escaping import escape_text, map_text
from harness.utils.hashing import flatten
from harness.utils.store import Store
from harness.utils.text import align_columns, format_megabytes, format_three_digits, plural

HIDDEN_SETTINGS = ("kind", "task", "data", "entry", "features")
"""Settings that are shown elsewhere, or that identify data by a hash."""


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
        Whether it is undefined, and counts as 0, for some seed.
    few_units : float or None
        Effective number of units with labels of a class that rests on few; see `harness.metrics.effective_units`.
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
        One for each finished seed, and for each training of the backbone if it has several.
    metrics : tuple of MetricSummary
        The task's metric first, then its parts: scores of classes and outputs.
    exports : tuple of ExportRecord
        Cost and score of the files that it was exported to.
    folders : tuple of Path
        Files of each seed.
    mlflow_runs : mapping of str to str
        MLflow's run id by job id.
    verification : Verification
        Whether the files are those that the jobs wrote, and give the scores.
    learned : mapping or None
        What is known of the images that the backbone learned from, see `learned_images`.
    """

    records: tuple[Record, ...]
    metrics: tuple[MetricSummary, ...]
    exports: tuple[ExportRecord, ...]
    folders: tuple[Path, ...]
    mlflow_runs: Mapping[str, str]
    tracking_uri: str
    verification: Verification
    learned: Mapping[str, Any] | None

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
            "exports": [vars(export) for export in self.exports],
            "tracking_uri": self.tracking_uri,
            "code": [dict(code) for code in _distinct_code(self.records)],
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
    records = tuple(find_records(tracked_records(store), run))
    cache = SignificanceCache(store, remote_job_files(store))
    statistics = [cache.statistics(record)[1] for record in records]
    groups = training_indices([(record, record) for record in records]) if records[0].training is not None else None
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
    verifier = RunVerifier(store, cache, full=True)
    verification = verifier.verify(records)
    verifier.save()
    learned = learned_images(records[0], store)
    return RunSummary(records, metrics, exports, folders, runs, uri, verification, learned)


def format_run(summary: RunSummary, width: int = 100) -> str:
    """Format a run for a terminal.

    Parameters
    ----------
    summary : RunSummary
    width : int, default=100
        Characters to which lines of text are wrapped; tables and names of files are not.

    Returns
    -------
    str
        The text, without a newline at its end.
    """
    summary = map_text(summary, escape_text)
    first = summary.records[0]
    blocks = [
        wrap_sentence(
            f"run {first.group_id}: {first.task} on {first.dataset}, {first.split} split, {first.protocol} protocol",
            width,
        ),
        _format_fields(_iter_configuration(summary.records, summary.learned), width),
        _format_seeds(summary),
        *_format_thresholds(summary.records, width),
        _format_metrics(summary, width),
        _format_cost(summary.exports, first.group_id, width),
        _format_files(summary, width),
    ]
    warnings = [f"note: {FLAGS[flag]}" for flag in first.flags if flag in FLAGS]
    if first.protocol == "published":
        warnings.append("note: selected on the reported split itself, so its score is optimistic")
    warnings += [f"warning: {problem}" for problem in summary.verification.problems]
    return "\n\n".join([*blocks, *(wrap_sentence(warning, width) for warning in warnings)])


def _distinct_code(records: Iterable[Record]) -> list[Mapping[str, Any]]:
    """Return the recorded code of the seeds, each once; [{}] if none was recorded."""
    return list({json.dumps(dict(record.code), sort_keys=True): record.code for record in records}.values())


def _iter_configuration(records: Sequence[Record], learned: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    record = records[0]
    weights = "random" if record.backbone_random else record.backbone_weights
    settings = [(name, _format_setting(value)) for name, value in flatten(record.config) if name not in HIDDEN_SETTINGS]
    return [
        ("recipe", record.recipe or "-"),
        ("backbone", f"{record.backbone} ({weights})" if record.backbone_weights else record.backbone),
        *([("learned from", describe_learned_images(learned))] if learned is not None else []),
        ("features", record.features),
        ("head", record.head or "none"),
        ("parameters", f"{record.parameters:,}"),
        *(("code", describe_code(code)) for code in _distinct_code(records)),
        (
            "data",
            f"{record.data_digest[:6]}, {plural(record.units, record.unit)}, {record.scored:,} of "
            f"{record.annotated:,} labeled rows scored",
        ),
        *((name, value) for name, value in settings if not name.endswith("type")),
    ]


def _format_setting(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value)) or "-"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _format_fields(fields: Sequence[tuple[str, str]], width: int) -> str:
    column = max(len(name) for name, _ in fields)
    return "\n".join(
        fill(
            value,
            width,
            initial_indent=f"  {name:<{column}}  ",
            subsequent_indent=" " * (column + 4),
            break_long_words=False,
            break_on_hyphens=False,
        )
        for name, value in fields
    )


def _format_seeds(summary: RunSummary) -> str:
    first = summary.records[0]
    label = "seed" if first.training is None else "training, seed"
    rows = [(label, first.metric, "unsmoothed", "smoothing", "epoch")]
    for record in summary.records:
        raw = record.unsmoothed.get(record.metric)
        rows.append(
            (
                _repetition(record),
                f"{record.metrics[record.metric]:.3f}",
                "-" if raw is None else f"{raw:.3f}",
                format_smoothing(record.kernel, record.radius),
                "-" if record.epoch is None else str(record.epoch),
            )
        )
    lines = "selected on the selection split, for each seed\n" + _indent(align_columns(rows, {0, 3}))
    return "\n".join([lines, *_format_spread(summary)])


def _format_spread(summary: RunSummary) -> Iterator[str]:
    """Format the standard deviations between trainings and between seeds."""
    spread, parts = summary.spread, []
    if spread.trainings is not None:
        parts.append(f"between trainings of the backbone {spread.trainings:.3f}")
    if spread.seeds is not None:
        parts.append(f"between seeds of the head {spread.seeds:.3f}")
    if parts:
        yield f"standard deviation: {', '.join(parts)}"
    if spread.trainings is None and summary.records[0].backbone_weights and not summary.records[0].backbone_random:
        yield "one training of the backbone; other trainings would score differently"


def _repetition(record: Record) -> str:
    """Return the seed, preceded by that of the backbone's training if it has several."""
    return str(record.seed) if record.training is None else f"{record.training}, {record.seed}"


def _repetition_key(record: Record) -> str:
    return str(record.seed) if record.training is None else f"t{record.training}-s{record.seed}"


def _format_thresholds(records: Sequence[Record], width: int) -> Iterator[str]:
    lines: list[str] = []
    for record in records:
        if record.thresholds is not None:
            units = ", ".join(f"{name} {value:g}" for name, value in zip(ACTION_UNITS, record.thresholds))
            text = f"seed {_repetition(record)}: {units}"
            lines += wrap(text, width, initial_indent="  ", subsequent_indent=" " * 10)
    if lines:
        yield "\n".join(["decision thresholds", *lines])


def _format_metrics(summary: RunSummary, width: int) -> str:
    unit = summary.records[0].unit
    rows = [("metric", "value", "corrected", "95% CI", "")]
    for metric in summary.metrics:
        low, high, corrected = metric.interval.low, metric.interval.high, metric.interval.corrected
        remarks = [
            *(["undefined, counts as 0"] if metric.undefined else []),
            *([f"labels from {metric.few_units:.1f} effective {unit}s"] if metric.few_units is not None else []),
        ]
        rows.append(
            (
                metric.name,
                f"{metric.value:.3f}",
                "-" if corrected is None else f"{corrected:.3f}",
                "-" if low is None or high is None else f"{low:.3f} to {high:.3f}",
                "; ".join(remarks),
            )
        )
    repeated = "seeds" if summary.records[0].training is None else "trainings of the backbone"
    over = f"{unit}s and {repeated}" if len(summary.records) > 1 else f"{unit}s"
    title = [
        "scores on the reported split",
        f"corrected: for the bias of few {unit}s",
        f"95% CI: jackknife over {over}",
    ]
    return join_phrases(title, width) + "\n" + _indent(align_columns(rows, {0, 4}))


def _format_cost(exports: Sequence[ExportRecord], run: str, width: int) -> str:
    if not exports:
        return join_phrases(["cost: not measured", f"framelight export {run} --out DIR measures it"], width)
    rows = [("cost of exported files", "MB", "ms, 1 thread", "memory MiB", "score")]
    for export in exports:
        latency = export.latency.get("1", {}).get("median")
        rows.append(
            (
                f"{export.format} {export.precision}",
                format_megabytes(export.size),
                "-" if latency is None else format_three_digits(latency),
                "-" if export.memory is None else f"{export.memory:.0f}",
                "-" if export.value is None else f"{export.value:.3f}",
            )
        )
    return "\n".join(align_columns(rows, 1))


def _format_files(summary: RunSummary, width: int) -> str:
    rows = []
    for record, folder in zip(summary.records, summary.folders):
        figures = len(list(JobFolder(folder).pictures.glob("*.png")))
        path, seed = escape_text(str(folder)), _repetition(record)
        shown = path if folder.is_dir() else f"{path} (not in this store)"
        rows.append((f"files, seed {seed}", shown + (f", with {plural(figures, 'figure')}" if figures else "")))
        if record.job_id in summary.mlflow_runs:
            rows.append((f"MLflow, seed {_repetition(record)}", f"run {summary.mlflow_runs[record.job_id]}"))
    rows.append(("tracked at", f"{summary.tracking_uri} (framelight ui opens it)"))
    return _format_fields(rows, width)


def _indent(lines: Iterable[str]) -> str:
    return "\n".join(f"  {line}" for line in lines)
