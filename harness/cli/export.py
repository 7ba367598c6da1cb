"""`framelight export`."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from harness.cli.output import print_lines
from harness.utils.text import align_columns, format_count, format_megabytes

if TYPE_CHECKING:
    from harness.export.api import ExportResult
    from harness.tracking.export_records import ExportRecord


def main(arguments: argparse.Namespace) -> None:
    """Export a run and print the cost of its files."""
    from harness.export.api import export, log_to_mlflow

    result = export(
        arguments.run,
        arguments.out,
        arguments.format,
        precisions=arguments.precisions or (),
        embedding=arguments.embedding,
        calibration=arguments.calibration,
        data=arguments.data,
        store=arguments.store,
        seed=arguments.seed,
        force=arguments.force,
        log_model=False,
    )
    print_lines(_summary_lines(result))
    if not arguments.no_model:
        log_to_mlflow(result, arguments.store)


def _summary_lines(result: ExportResult) -> list[str]:
    first, record = result.files[0], result.record
    macs = "MACs not counted" if first.macs is None else f"{format_count(first.macs)} MACs per crop"
    head = [
        f"{result.folder}: run {record.job_id}, task {record.task}",
        f"{record.backbone}, {record.features}, {record.head}; {first.parameters:,} parameters, {macs}",
        f"measured on {first.device}",
        f"differences and agreement on {first.crops:,} crops of the {record.split} split",
        f"{first.metric} of the run {first.run_value:z.6f}",
        "",
    ]
    headings = ("MB", "ms, 1 thread (p95)", "ms, 2 threads (p95)", "memory, MiB", "largest difference", "agreement")
    columns = [("", *headings, first.metric, "difference"), *map(_format_file, result.files)]
    return head + align_columns(list(zip(*columns)))


def _format_file(export: ExportRecord) -> tuple[str, ...]:
    assert export.value is not None and export.run_value is not None
    return (
        export.precision,
        format_megabytes(export.size),
        _format_latency(export, "1"),
        _format_latency(export, "2"),
        f"{export.memory:.0f}",
        f"{export.largest:.1g}",
        f"{export.agreement:.2%}",
        f"{export.value:z.6f}",
        f"{export.value - export.run_value:+z.6f}",
    )


def _format_latency(export: ExportRecord, threads: str) -> str:
    latency = export.latency[threads]
    return f"{latency['median']:.2f} ({latency['p95']:.2f})"
