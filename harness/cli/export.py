"""`framelight export`."""

from __future__ import annotations

import argparse
import logging
from pathlib import Path
from typing import TYPE_CHECKING

from harness.utils.text import align_columns

if TYPE_CHECKING:
    from harness.tracking.export_records import Exported
    from harness.tracking.records import Record

logger = logging.getLogger(__name__)

HEADINGS = ("file", "MB", "ms, 1 thread (p95)", "ms, 2 threads (p95)", "memory MiB", "largest difference", "agreement")


def main(arguments: argparse.Namespace) -> None:
    from harness.export.formats import require_writer
    from harness.leaderboard.runs import chosen_run
    from harness.tracking import tracked_records
    from harness.utils.output_dir import check_output_dir

    check_output_dir(arguments.out, arguments.force, arguments.store.root, *filter(None, [arguments.data]))
    form = require_writer(arguments.format)
    records = tracked_records(arguments.store)
    chosen = chosen_run(records, arguments.run, arguments.seed, arguments.store)
    from harness.export.export import ExportOptions, export

    wanted = ExportOptions(form, tuple(arguments.precisions or ()), arguments.embedding, arguments.calibration)
    made = export(chosen, wanted, arguments.data, arguments.out)
    print("\n".join(_lines(made, chosen.record, arguments.out)))
    if form.name == "onnx" and not arguments.no_model:
        from harness.export.registry.log_model import log_exported

        for line in log_exported(arguments.store, chosen.record, arguments.out):
            logger.info(line)


def _lines(made: list[Exported], record: Record, out: Path) -> list[str]:
    first = made[0]
    macs = "MACs not counted" if first.macs is None else f"{first.macs / 1e6:,.1f} M MACs a crop"
    head = [f"{out}: run {record.job_id}, task {record.task}: {record.backbone}, {record.features}, {record.head}; "
            f"{first.parameters:,} parameters, {macs}",
            f"measured on {first.device}; differences and agreement on {first.crops:,} crops of the {record.split} "
            f"split; {first.metric} of the run {first.run_value:.6f}", ""]
    rows = [(*HEADINGS, first.metric, "difference"), *map(_row, made)]
    return head + align_columns(rows)


def _row(one: Exported) -> tuple[str, ...]:
    return (one.file, f"{one.size / 1e6:.2f}", _time(one, "1"), _time(one, "2"), f"{one.memory:.0f}",
            f"{one.largest:.1g}", f"{one.agreement:.2%}", f"{one.value:.6f}", f"{one.value - one.run_value:+.6f}")


def _time(one: Exported, threads: str) -> str:
    found = one.latency[threads]
    return f"{found['median']:.2f} ({found['p95']:.2f})"
