"""Cost of causal smoothing: each run as it was scored, and with filters that use no future frames."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from harness.leaderboard.board import Board, Boards
from harness.leaderboard.columns import (
    MARKS,
    format_interval,
    format_marks,
    format_smoothing,
    name_columns,
    rank_column,
    sign_option,
)
from harness.leaderboard.row_types import CONFIGURATION_FIELDS, BoardRow, LeaderboardRow
from harness.leaderboard.rows import (
    SignificanceProvider,
    board_key,
    finished_records,
    group_by_configuration,
    leaderboard_rows,
)
from harness.leaderboard.table import board_title, explain
from harness.leaderboard.table_layout import Column, Wording, wrap_sentence
from harness.tracking.records import Record
from harness.utils.text import plural

ASSUMED_RATE = 30.0
"""Frames per second where the dataset does not say: the rate of nearly all videos of the challenges."""


@dataclass(kw_only=True)
class CausalRow(BoardRow):
    """A configuration offline and with causal smoothing.

    Attributes
    ----------
    rank, kernel, radius, seeds, value, std, ci_low, ci_high, ci_method, tied_with_best, p_value, untested, undefined
        See `LeaderboardRow`, of the causal replays.
    parameters : int
        Parameters of backbone and head.
    offline : float
        Mean of the run's own scores over the same seeds.
    offline_kernel, offline_radius
        The filter of the run.
    look_ahead : float
        Future frames that this filter needs.
    price : float
        `offline` minus `value`.
    price_low, price_high, price_p : float or None
        95% confidence interval and p-value of the paired test, not adjusted; None without statistics.
    delay : float
        Mean lag of the causal filter in frames; the median of several seeds.
    delay_ms : float
        The same in milliseconds at `rate`.
    rate : float
        Frames per second.
    """

    rank: int | None
    kernel: str | None
    radius: float | None
    seeds: list[int]
    value: float
    std: float | None
    ci_low: float | None
    ci_high: float | None
    ci_method: str | None
    tied_with_best: bool | None
    p_value: float | None
    untested: bool
    undefined: list[str]
    parameters: int
    offline: float
    offline_kernel: str | None
    offline_radius: float | None
    look_ahead: float
    price: float
    price_low: float | None
    price_high: float | None
    price_p: float | None
    delay: float
    delay_ms: float
    rate: float


REPLAY_FIELDS = (
    "rank",
    "kernel",
    "radius",
    "seeds",
    "value",
    "std",
    "ci_low",
    "ci_high",
    "ci_method",
    "tied_with_best",
    "p_value",
    "untested",
    "undefined",
)
"""Fields of a `CausalRow` that are taken from the leaderboard row of its causal replays."""


def causal_rows(
    records: Iterable[Record],
    replayed: Mapping[str, Record],
    task: str | None = None,
    significance: SignificanceProvider | None = None,
    rate: float = ASSUMED_RATE,
) -> list[CausalRow]:
    """Build one row for each configuration that has a causal replay.

    Parameters
    ----------
    records : iterable of Record
        Records of runs in any order.
    replayed : mapping of str to Record
        Records of causal replays, by the job id of the run's job.
    task : str, optional
        Default: all tasks.
    significance : SignificanceProvider, optional
        Source of intervals and tests.
    rate : float, default=30
        Frames per second, to express delays in milliseconds.

    Returns
    -------
    list of CausalRow
        Boards one after another, best causal score first. Value, interval and rank are of the replays alone.
    """
    records = list(records)
    offline_rows = {(row.run_id, row.data_digest): row for row in leaderboard_rows(records, task)}
    replay_rows = {row.run_id: row for row in leaderboard_rows(replayed.values(), task, significance)}
    rows = []
    for group in group_by_configuration(records, task):
        pairs = [(job, replayed[job.job_id]) for job in finished_records(group) if job.job_id in replayed]
        if pairs:
            offline_row = offline_rows[group[0].group_id, group[0].data_digest]
            rows.append(_causal_row(offline_row, replay_rows[pairs[0][1].group_id], pairs, significance, rate))
    board_order = {key: i for i, key in enumerate(dict.fromkeys(map(board_key, offline_rows.values())))}
    return sorted(rows, key=lambda row: (board_order[board_key(row)], -row.value, row.run_id))


def _causal_row(
    offline_row: LeaderboardRow,
    replay_row: LeaderboardRow,
    pairs: list[tuple[Record, Record]],
    significance: SignificanceProvider | None,
    rate: float,
) -> CausalRow:
    from harness.smoothing.kernels import mean_lag, required_lookahead

    jobs, replays = zip(*pairs)
    difference = significance.difference(jobs, replays) if significance is not None else None
    offline = statistics.fmean(job.metrics[job.metric] for job in jobs)
    delay = statistics.median(mean_lag(job.kernel, job.radius) for job in replays)
    assert replay_row.value is not None  # replays are finished jobs
    return CausalRow(
        **offline_row.shared_fields(),
        **{name: getattr(replay_row, name) for name in REPLAY_FIELDS},
        parameters=offline_row.parameters,
        offline=offline,
        offline_kernel=offline_row.kernel,
        offline_radius=offline_row.radius,
        look_ahead=statistics.median(required_lookahead(job.kernel, job.radius) for job in jobs),
        price=offline - replay_row.value,
        price_low=difference.low if difference else None,
        price_high=difference.high if difference else None,
        price_p=difference.p if difference else None,
        delay=delay,
        delay_ms=1000 * delay / rate,
        rate=rate,
    )


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


def render_causal(rows: Sequence[CausalRow], form: str = "table", width: int = 100) -> str:
    """Format the rows of `causal_rows`; see `Boards.render`."""
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
        Column("offline", lambda row: f"{row.offline:.3f}", right=True),
        Column("causal filter" if not short else "filter", lambda row: _format_filter(row.kernel, row.radius, short)),
        Column("causal", lambda row: f"{row.value:.3f}", right=True),
        Column("95% CI", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("drop", lambda row: f"{_round_score(row.price):+.3f}", right=True),
        Column("95% CI of drop", _format_drop_interval),
        Column("delay ms" if short else "delay", _format_milliseconds if short else _format_delay, right=True),
        *([Column("seeds", lambda row: str(len(row.seeds)), right=True)] if several else []),
        Column("run id", lambda row: row.run_id[:6]),
    ]


def _format_filter(kernel: str | None, radius: float | None, short: bool) -> str:
    text = format_smoothing(kernel, radius, short)
    for name, words in (SHORT_KERNEL_NAMES if short else KERNEL_NAMES).items():
        text = text.replace(name, words)
    return text


def _format_drop_interval(row: CausalRow) -> str:
    return format_interval(row.price_low, row.price_high, "+")


def _format_delay(row: CausalRow) -> str:
    return f"{row.delay:g} frames, {_format_milliseconds(row)} ms"


def _format_milliseconds(row: CausalRow) -> str:
    return f"{row.delay_ms:.0f}"


def _round_score(value: float) -> float:
    return round(value, 3) + 0.0


def _drop_notes(rows: Sequence[CausalRow]) -> list[str]:
    runs = [row for row in rows if row.kind == "run"]
    if not runs:
        return []
    drop = statistics.median(row.price for row in runs)
    look_ahead = statistics.median(row.look_ahead for row in runs)
    return [
        f"Median drop of {plural(len(runs), 'run', 'd')}: {_round_score(drop):+.3f}; their offline filters need "
        f"{look_ahead:g} future frames (median)."
    ]


def _legend(rows: Sequence[CausalRow], names: set[str], width: int) -> list[str]:
    if not rows:
        return []
    marks = {mark for row in rows for mark in format_marks(row)}
    entries = [explain(mark, meaning, rows) for mark, meaning in MARKS.items() if mark in marks]
    if any("mixed" in (row.kernel, row.offline_kernel) for row in rows):
        entries.append("mixed: seeds differ in kernel (median radius)")
    notes = [EXPLANATION, DELAY_NOTE.format(rate=rows[0].rate)]
    notes += [f"Rank: by causal score; {'; '.join(entries)}."] if entries else []
    return [wrap_sentence(note, width) for note in notes]
