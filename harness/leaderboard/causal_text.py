"""Board of causal smoothing as text, CSV, JSON or Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from functools import partial

from harness.leaderboard.board import Board, Boards, escape_rows
from harness.leaderboard.causal import CausalRow
from harness.leaderboard.columns import (
    MARKS,
    format_interval,
    format_marks,
    format_smoothing,
    name_columns,
    rank_column,
    sign_option,
)
from harness.leaderboard.row_types import CONFIGURATION_FIELDS
from harness.leaderboard.table import board_title, explain
from harness.leaderboard.table_layout import Column, Wording, wrap_sentence
from harness.utils.text import plural

FIELDS = (
    "rank",
    "run_id",
    *CONFIGURATION_FIELDS,
    "seeds",
    "metric",
    "offline",
    "offline_kernel",
    "offline_radius",
    "look_ahead",
    "value",
    "std",
    "ci_low",
    "ci_high",
    "ci_method",
    "tied_with_best",
    "p_value",
    "kernel",
    "radius",
    "price",
    "price_low",
    "price_high",
    "price_p",
    "delay",
    "delay_ms",
    "rate",
    "undefined",
    "units",
    "unit",
    "parameters",
    "data_digest",
)

EXPLANATION = (
    "Causal: kernel, radius and thresholds selected again, on the selection split, among filters that use no future "
    "frame (trailing mean, trailing median, exponential; gaps are forward-filled). Drop: offline minus causal score on "
    "the same videos and seeds, with its paired 95% CI."
)

DELAY_NOTE = "Delay: mean lag of the causal filter, in ms at an assumed {rate:g} frames per second."

KERNEL_NAMES = {"trailing_mean": "trailing mean", "trailing_median": "trailing median"}

SHORT_KERNEL_NAMES = {"trailing_mean": "mean", "trailing_median": "median", "exponential": "exp"}

DROPPED, DROPPED_LAST = (
    ("seeds", "95% CI of drop", "offline filter"),
    ("run id", "95% CI", "features", "filter", "delay ms", "offline"),
)


def render_causal(rows: Sequence[CausalRow], form: str = "table", width: int | None = 100) -> str:
    """Format the rows of `causal_rows`; see `Boards.render`."""
    rows = escape_rows(rows, form)
    return Boards(rows=rows, fields=FIELDS, board=partial(_board, rows=rows), legend=partial(_legend, rows)).render(
        form, width
    )


def _board(board_rows: Sequence[CausalRow], rows: Sequence[CausalRow]) -> Board:
    return Board(
        rows=board_rows,
        columns=partial(_columns, board_rows),
        heading=[*board_title(board_rows, rows), "offline vs. causal smoothing"],
        notes=_drop_notes(board_rows),
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
    )


def _columns(rows: Sequence[CausalRow], wording: Wording) -> list[Column]:
    several = len({len(row.seeds) for row in rows} | {1}) > 1
    bound, short = sign_option(rows, "ci_low"), wording.short
    return [
        rank_column(rows),
        *name_columns(rows, wording),
        Column("offline filter", lambda row: _format_filter(row.offline_kernel, row.offline_radius, short)),
        Column("offline", lambda row: f"{row.offline:z.3f}", right=True),
        Column("causal filter" if not short else "filter", lambda row: _format_filter(row.kernel, row.radius, short)),
        Column("causal", lambda row: f"{row.value:z.3f}", right=True),
        Column("95% CI", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("drop", lambda row: f"{row.price:+z.3f}", right=True),
        Column("95% CI of drop", _format_drop_interval),
        Column("delay ms" if short else "delay", _format_milliseconds if short else _format_delay, right=True),
        *([Column("seeds", lambda row: str(len(row.seeds)), right=True)] if several else []),
        Column("run id", lambda row: row.run_id[:6]),
    ]


def _format_filter(kernel: str | None, radius: float | None, short: bool) -> str:
    text = format_smoothing(kernel, radius)
    for name, words in (SHORT_KERNEL_NAMES if short else KERNEL_NAMES).items():
        text = text.replace(name, words)
    return text


def _format_drop_interval(row: CausalRow) -> str:
    return format_interval(row.price_low, row.price_high, "+")


def _format_delay(row: CausalRow) -> str:
    return f"{row.delay:g} frames, {_format_milliseconds(row)} ms"


def _format_milliseconds(row: CausalRow) -> str:
    return f"{row.delay_ms:.0f}"


def _drop_notes(rows: Sequence[CausalRow]) -> list[str]:
    runs = [row for row in rows if row.kind == "run"]
    if not runs:
        return []
    drop = statistics.median(row.price for row in runs)
    look_ahead = statistics.median(row.look_ahead for row in runs)
    return [
        f"Median drop of {plural(len(runs), 'run', 'd')}: {drop:+z.3f}; their offline filters need "
        f"{look_ahead:g} future frames (median)."
    ]


def _legend(rows: Sequence[CausalRow], names: set[str], width: int) -> list[str]:
    if not rows:
        return []
    marks = {mark for row in rows for mark in format_marks(row)}
    entries = [explain(mark, meaning, rows) for mark, meaning in MARKS.items() if mark in marks]
    if any("mixed" in (row.kernel, row.offline_kernel) for row in rows):
        entries.append("mixed: seeds use different kernels (radius: their median)")
    notes = [EXPLANATION, DELAY_NOTE.format(rate=rows[0].rate)]
    notes += [f"Rank: by causal score; {'; '.join(entries)}."] if entries else []
    return [wrap_sentence(note, width) for note in notes]
