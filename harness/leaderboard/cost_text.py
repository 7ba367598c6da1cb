"""Rendering of accuracy and cost in the formats of the leaderboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from harness.leaderboard.board import Board, Boards, escape_rows
from harness.leaderboard.columns import format_interval, format_number, name_columns, sign_option
from harness.leaderboard.row_types import CONFIGURATION_FIELDS, BoardRow
from harness.leaderboard.table import board_title
from harness.leaderboard.table_layout import Column, Wording
from harness.utils.text import format_count, format_megabytes, format_percent, format_three_digits, plural


@dataclass(kw_only=True)
class CostRow(BoardRow):
    """An exported file, or a run without one.

    Attributes
    ----------
    value, ci_low, ci_high : float or None
        Score of the file, or of the run if it has no file, and its 95% confidence interval. None if the file was not
        scored.
    parameters : int
        Parameters of backbone and head.
    macs : int or None
        Multiply-accumulate operations for one crop; of the backbone alone if the run has no file.
    seed : int or None
        The seed that was exported.
    format, precision, file : str or None
        Format of the exported file, precision of its weights, and its name.
    difference : float or None
        Score of the file minus score of the seed.
    difference_low, difference_high : float or None
        Paired 95% confidence interval of `difference`; None if the file or the run has no statistics for each unit.
    largest, agreement : float or None
        See `harness.tracking.export_records.ExportRecord`.
    size : int or None
        Size of the file in bytes.
    latency_1, latency_2 : float or None
        Median milliseconds for one crop on one and two threads.
    p95_1, p95_2 : float or None
        95th percentiles of these latencies.
    memory : float or None
        Peak memory in MiB of a process that loads and runs the file.
    device : str or None
        The processor that the file was measured on.
    pareto : bool
        Whether the file is on the Pareto front of score and latency on one thread. Only files of the board that were
        measured on the same device are compared.
    """

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
    *CONFIGURATION_FIELDS,
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
DROPPED = ("params", "MACs", "agreement", "seed", "memory", "95% CI of difference", "ms, 2 threads", "95% CI")
DROPPED_LAST = ("run id", "features", "diff", "MB")
EXPLANATION = (
    "ms: latency of one crop after warm-up, median (95th percentile). MB: file size. Memory: peak of a process that "
    "loads and runs the file. Difference: score of the file minus score of the exported seed."
)
PARAMETERS_NOTE = "Parameters: backbone and head. MACs of a run without an exported file: backbone only."
MORE_NOTE = "All columns, with 95th percentiles, memory and MACs: --format md, csv or json."


def render_cost(rows: Sequence[CostRow], form: str = "table", width: int | None = 100) -> str:
    """Format the rows of `harness.leaderboard.cost.cost_rows`; see `Boards.render`."""
    rows = escape_rows(rows, form)
    return Boards(rows=rows, fields=FIELDS, board=partial(_board, rows=rows)).render(form, width)


def measured_devices(rows: Sequence[CostRow]) -> list[str]:
    """List the devices that files were measured on, in the order of the rows."""
    return list(dict.fromkeys(row.device for row in rows if row.device))


def _board(board_rows: Sequence[CostRow], rows: Sequence[CostRow]) -> Board:
    return Board(
        rows=board_rows,
        columns=partial(_columns, board_rows),
        heading=[*board_title(board_rows, rows), "accuracy and cost"],
        notes=_notes(board_rows),
        more=MORE_NOTE,
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
    )


def _columns(rows: Sequence[CostRow], wording: Wording) -> list[Column]:
    bound, short = sign_option(rows, "ci_low"), wording.short
    device_numbers = {device: str(number) for number, device in enumerate(measured_devices(rows), 1)}
    pareto = Column(PARETO_MARK, lambda row: PARETO_MARK if row.pareto else "")
    device = Column("device", lambda row: device_numbers.get(row.device, "-"), right=True)
    seed = Column("seed", lambda row: "-" if row.seed is None else str(row.seed), right=True)
    one_thread = partial(_format_latency, threads=1, short=short)
    return [
        *([pareto] if any(row.pareto for row in rows) else []),
        *name_columns(rows, wording),
        Column("file", lambda row: f"{row.format} {row.precision}" if row.format else "-"),
        Column(rows[0].metric, lambda row: format_number(row.value), right=True),
        Column("95% CI", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("difference" if not short else "diff", _format_difference, right=True),
        Column("95% CI of difference", lambda row: format_interval(row.difference_low, row.difference_high, "+", 4)),
        Column("agreement", lambda row: format_percent(row.agreement), right=True),
        Column("ms, 1 thread" if not short else "ms", one_thread, right=True),
        Column("ms, 2 threads", partial(_format_latency, threads=2, short=short), right=True),
        Column("MB", lambda row: "-" if row.size is None else format_megabytes(row.size), right=True),
        Column("memory", lambda row: "-" if row.memory is None else f"{row.memory:.0f} MiB", right=True),
        Column("params" if wording.brief else "parameters", lambda row: format_count(row.parameters), right=True),
        Column("MACs", lambda row: format_count(row.macs), right=True),
        *([device] if len(device_numbers) > 1 else []),
        *([seed] if len({row.seed for row in rows} - {None}) > 1 else []),
        Column("run id", lambda row: row.run_id[:6]),
    ]


def _format_latency(row: CostRow, threads: int, short: bool) -> str:
    median, p95 = getattr(row, f"latency_{threads}"), getattr(row, f"p95_{threads}")
    if median is None:
        return "-"
    return format_three_digits(median) + ("" if short or p95 is None else f" ({format_three_digits(p95)})")


def _format_difference(row: CostRow) -> str:
    return "-" if row.difference is None else f"{row.difference:+z.4f}"


def _notes(rows: Sequence[CostRow]) -> list[str]:
    exported = [row for row in rows if row.format]
    without = len({row.run_id for row in rows if not row.format})
    notes = []
    if exported:
        notes.append(EXPLANATION)
        devices = measured_devices(rows)
        numbered = [f"({number}) {name}" for number, name in enumerate(devices, 1)]
        notes.append(f"Measured on {'; '.join(devices if len(devices) == 1 else numbered)}.")
    if any(row.pareto for row in rows):
        notes.append(
            f"{PARETO_MARK} on the Pareto front: no other file is at least as accurate and at least as fast on one "
            "thread, and better in one of the two."
        )
    if without:
        notes += [
            PARAMETERS_NOTE,
            f"{plural(without, 'run', 'd')} without an exported file; to export and measure one: "
            "framelight export RUN --format onnx --out DIR",
        ]
    return notes
