"""Accuracy and cost as text, in the four formats of the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from harness.leaderboard.board import Board, Boards
from harness.leaderboard.columns import (
    format_count,
    format_interval,
    format_number,
    format_percent,
    name_columns,
    sign_option,
)
from harness.leaderboard.row_types import BoardRow
from harness.leaderboard.table import board_title
from harness.leaderboard.table_layout import Column, Wording
from harness.utils.text import plural


@dataclass(kw_only=True)
class CostRow(BoardRow):
    """An exported file, or a run without one; see `harness.leaderboard.cost.cost_rows`."""

    value: float | None
    ci_low: float | None
    ci_high: float | None
    parameters: int
    macs: int | None
    seed: int | None = None
    format: str | None = None
    precision: str | None = None
    file: str | None = None
    difference: float | None = None
    difference_low: float | None = None
    difference_high: float | None = None
    largest: float | None = None
    agreement: float | None = None
    size: int | None = None
    latency_1: float | None = None
    latency_2: float | None = None
    p95_1: float | None = None
    p95_2: float | None = None
    memory: float | None = None
    device: str | None = None
    pareto: bool = False


FIELDS = (
    "run_id",
    "seed",
    "task",
    "dataset",
    "split",
    "protocol",
    "optimistic",
    "kind",
    "flags",
    "backbone",
    "weights",
    "random_weights",
    "features",
    "head",
    "settings",
    "distinction",
    "format",
    "precision",
    "file",
    "metric",
    "value",
    "ci_low",
    "ci_high",
    "difference",
    "difference_low",
    "difference_high",
    "largest",
    "agreement",
    "parameters",
    "macs",
    "size",
    "latency_1",
    "p95_1",
    "latency_2",
    "p95_2",
    "memory",
    "device",
    "pareto",
    "units",
    "unit",
    "data_digest",
)
PARETO_MARK = "*"
DROPPED = ("params", "MACs", "agree", "seed", "memory", "difference's 95 %", "2 threads", "95 % interval")
DROPPED_LAST = ("run", "features")
EXPLANATION = (
    "ms: one crop, warm, median (95th percentile), by threads; MB: of the file; memory: the most that a "
    "process held which loads and runs it. Difference: the file's own score less that of the seed it is of."
)
PARAMETERS_NOTE = (
    "Parameters are of backbone and head; MACs of a run without an exported file are its backbone's alone."
)

MORE_NOTE = "95th percentiles, memory, MACs and whatever else has no room here: --format md, csv or json."


def render_cost(rows: Sequence[CostRow], form: str = "table", width: int = 100) -> str:
    """The rows of `harness.leaderboard.cost.cost_rows` as text; see `Boards.render`."""
    return Boards(rows=rows, fields=FIELDS, board=partial(_board, rows=rows)).render(form, width)


def measured_devices(listed: Sequence[CostRow]) -> list[str]:
    """Those that files were measured on, in the order of the rows."""
    return list(dict.fromkeys(row.device for row in listed if row.device))


def _board(listed: Sequence[CostRow], rows: Sequence[CostRow]) -> Board:
    return Board(
        rows=listed,
        columns=partial(_columns, listed),
        heading=[*board_title(listed, rows), "accuracy and cost"],
        notes=_notes(listed),
        more=MORE_NOTE,
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
    )


def _columns(listed: Sequence[CostRow], wording: Wording) -> list[Column]:
    bound, short = sign_option(listed, "ci_low"), wording.short
    on = {device: str(place) for place, device in enumerate(measured_devices(listed), 1)}
    return [
        *(
            [Column(PARETO_MARK, lambda row: PARETO_MARK if row.pareto else "")]
            if any(row.pareto for row in listed)
            else []
        ),
        *name_columns(listed, wording),
        Column("file", lambda row: f"{row.format} {row.precision}" if row.format else "-"),
        Column(listed[0].metric, lambda row: format_number(row.value), right=True),
        Column("95 % interval", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("difference" if not short else "diff", _format_difference, right=True),
        Column("difference's 95 %", _format_difference_interval),
        Column("agree", lambda row: format_percent(row.agreement), right=True),
        Column("1 thread" if not short else "ms", partial(_format_latency, threads=1, short=short), right=True),
        Column("2 threads", partial(_format_latency, threads=2, short=short), right=True),
        Column("MB", lambda row: "-" if row.size is None else f"{row.size / 1e6:.2f}", right=True),
        Column("memory", lambda row: "-" if row.memory is None else f"{row.memory:.0f} MiB", right=True),
        Column("params", lambda row: format_count(row.parameters), right=True),
        Column("MACs", lambda row: "-" if row.macs is None else format_count(row.macs), right=True),
        *([Column("on", lambda row: on.get(row.device, "-"), right=True)] if len(on) > 1 else []),
        *(
            [Column("seed", lambda row: "-" if row.seed is None else str(row.seed), right=True)]
            if len({row.seed for row in listed} - {None}) > 1
            else []
        ),
        Column("run", lambda row: row.run_id[:6]),
    ]


def _format_latency(row: CostRow, threads: int, short: bool) -> str:
    median, p95 = getattr(row, f"latency_{threads}"), getattr(row, f"p95_{threads}")
    if median is None:
        return "-"
    return (
        _format_three_digits(median)
        if short or p95 is None
        else f"{_format_three_digits(median)} ({_format_three_digits(p95)})"
    )


def _format_three_digits(value: float) -> str:
    """Three digits that say something."""
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def _format_difference(row: CostRow) -> str:
    return "-" if row.difference is None else f"{round(row.difference, 4) + 0.0:+.4f}"


def _format_difference_interval(row: CostRow) -> str:
    low, high = row.difference_low, row.difference_high
    return "-" if low is None or high is None else f"{round(low, 4) + 0.0:+.4f} to {round(high, 4) + 0.0:.4f}"


def _notes(listed: Sequence[CostRow]) -> list[str]:
    exported = [row for row in listed if row.format]
    without = len({row.run_id for row in listed if not row.format})
    notes = []
    if exported:
        notes.append(EXPLANATION)
        named = measured_devices(listed)
        notes.append(
            "Measured on "
            + "; ".join(named if len(named) == 1 else [f"({place}) {name}" for place, name in enumerate(named, 1)])
            + "."
        )
    if any(row.pareto for row in listed):
        notes.append(
            f"{PARETO_MARK} on the Pareto front: no file here is as good and as fast on one thread, and better "
            "in one of both."
        )
    if without:
        notes += [
            PARAMETERS_NOTE,
            f"{plural(without, 'run', 'd')} without an exported file; this writes and measures one: "
            "framelight export RUN --format onnx --out DIR",
        ]
    return notes
