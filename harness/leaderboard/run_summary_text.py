"""Text summary of one run, as `framelight show` prints it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import fill, wrap
from typing import Any

from harness.jobs.job_folder import JobFolder
from harness.leaderboard.class_notes import format_rare_classes
from harness.leaderboard.columns import format_interval, format_number, format_smoothing
from harness.leaderboard.learned_images import describe_learned_images
from harness.leaderboard.run_summary import RunSummary, distinct_code
from harness.leaderboard.table_layout import join_phrases, wrap_sentence
from harness.metrics.rare_classes import MIN_LABELS
from harness.metrics.tasks import ACTION_UNITS
from harness.tracking.code_identity import describe_code
from harness.tracking.export_records import ExportRecord
from harness.tracking.records import FLAGS, Record
from harness.utils.escaping import escape_text, map_text
from harness.utils.hashing import flatten
from harness.utils.text import align_columns, format_megabytes, format_three_digits, plural

HIDDEN_SETTINGS = ("kind", "task", "data", "entry", "features", "revision", "head.kind")
"""Settings that are left out: they are shown elsewhere, are hashes, or are not set by users."""


def format_run(summary: RunSummary, width: int = 100) -> str:
    """Format a run for a terminal.

    Parameters
    ----------
    summary : RunSummary
    width : int, default=100
        Characters to which lines of text are wrapped; tables and file names are not wrapped.

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
        _format_seeds(summary, width),
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


def _iter_configuration(records: Sequence[Record], learned: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    record = records[0]
    weights = "random" if record.backbone_random else record.backbone_weights
    settings = [
        (name, _format_setting(value))
        for name, value in flatten(record.config)
        if name not in HIDDEN_SETTINGS and value not in ([], ())
    ]
    return [
        ("recipe", record.recipe or "-"),
        ("backbone", f"{record.backbone} ({weights})" if record.backbone_weights else record.backbone),
        *([("learned from", describe_learned_images(learned))] if learned is not None else []),
        ("features", record.features),
        ("head", record.head or "none"),
        ("parameters", f"{record.parameters:,}"),
        *(("code", describe_code(code)) for code in distinct_code(records)),
        (
            "data",
            f"{record.data_digest[:6]}, {plural(record.units, record.unit)}, {record.scored:,} of "
            f"{record.annotated:,} labeled rows scored",
        ),
        *((name, value) for name, value in settings if not name.endswith("type")),
    ]


def _format_setting(value: Any) -> str:
    if isinstance(value, Mapping):  # the settings of one network of a separate head
        return " ".join(
            f"{name}={_format_setting(part)}" for name, part in value.items() if part is not None and name != "type"
        )
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_format_setting, value))
    if isinstance(value, bool):
        return str(value).lower()
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


def _format_seeds(summary: RunSummary, width: int) -> str:
    first = summary.records[0]
    label = "seed" if first.training is None else "training, seed"
    rows = [(label, first.metric, "raw", "smoothing", "epoch")]
    for record in summary.records:
        rows.append(
            (
                _repetition(record),
                format_number(record.metrics[record.metric]),
                format_number(record.unsmoothed.get(record.metric)),
                format_smoothing(record.kernel, record.radius),
                "-" if record.epoch is None else str(record.epoch),
            )
        )
    title = [
        "for each seed: score on the reported split; smoothing and epoch were selected on the selection split",
        "raw: score without smoothing",
        "smoothing: kernel and radius in frames",
    ]
    spread = [wrap_sentence(line, width) for line in _format_spread(summary)]
    return "\n".join([join_phrases(title, width), _indent(align_columns(rows, {0, 3})), *spread])


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
    """Return the seed, preceded by the seed of the backbone's training if there are several trainings."""
    return str(record.seed) if record.training is None else f"{record.training}, {record.seed}"


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
    few = {metric.few_units for metric in summary.metrics} - {None}
    rows = [("metric", "value", "corrected", "95% CI", f"{unit}s" if few else "")]
    for metric in summary.metrics:
        number = [] if metric.few_units is None else [f"{metric.few_units:.1f}"]
        rows.append(
            (
                metric.name,
                format_number(metric.value),
                format_number(metric.interval.corrected),
                format_interval(metric.interval.low, metric.interval.high),
                " ".join([*number, *("u" if metric.undefined else "")]),
            )
        )
    if summary.without_rare is not None:
        rows.insert(2, ("without rare", format_number(summary.without_rare), "-", "-", ""))
    repeated = "seeds" if summary.records[0].training is None else "trainings of the backbone"
    over = f"{unit}s and {repeated}" if len(summary.records) > 1 else f"{unit}s"
    title = [
        "scores on the reported split",
        f"corrected: for the bias that scores of few {unit}s have",
        f"95% CI: jackknife over {over}",
        *([f"{unit}s: effective number of {unit}s with labels of the class, shown where it is small"] if few else []),
        *_describe_rare_classes(summary),
        *(["u: undefined, counts as 0"] if any(metric.undefined for metric in summary.metrics) else []),
    ]
    return join_phrases(title, width) + "\n" + _indent(align_columns(rows, {0, 4}))


def _describe_rare_classes(summary: RunSummary) -> Iterator[str]:
    """Name the classes with few labels, and the score without them if there is one."""
    if summary.rare_classes:
        term = "" if summary.without_rare is None else f"without rare: {summary.records[0].metric} without classes of "
        yield f"{term}fewer than {MIN_LABELS} labels: {format_rare_classes(summary.rare_classes)}"


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
                format_number(export.value),
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
