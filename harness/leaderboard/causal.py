"""What real time costs: each run as it was scored, and with the past alone to smooth by, side by side."""

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
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.rows import Evidence, board_key, finished_records, group_by_configuration, leaderboard_rows
from harness.leaderboard.table import board_title
from harness.leaderboard.table_layout import Column, Wording, wrap_sentence
from harness.tracking.records import Record
from harness.utils.text import plural

ASSUMED_RATE = 30.0
"""Frames a second where the data does not tell: that of nearly all videos of the challenges."""


@dataclass(kw_only=True)
class CausalRow(BoardRow):
    """A configuration offline and in real time; see `causal_rows`."""

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
"""Fields of a `CausalRow` that are those of its causal replay; see `harness.leaderboard.rows`."""


def causal_rows(
    records: Iterable[Record],
    replayed: Mapping[str, Record],
    task: str | None = None,
    evidence: Evidence | None = None,
    rate: float = ASSUMED_RATE,
) -> list[CausalRow]:
    """One row for each configuration with a causal replay, boards one after another, best in real time first.

    replayed: the records of causal replays, by the job id of the run's job. `value`, its interval and `rank` are of
    the replays alone; `offline` is the mean of the run's own scores over the same seeds, `offline_kernel`,
    `offline_radius` and `look_ahead` its filter and the later frames that it needs. `price`: offline less real
    time; `price_low`, `price_high` and `price_p` of the paired test, not adjusted, None without statistics. `delay`:
    frames by which the causal filter lags in the mean, of several seeds their median, and `delay_ms` at `rate` frames
    a second.
    """
    records = list(records)
    own = {(row.run_id, row.data_digest): row for row in leaderboard_rows(records, task)}
    live = {row.run_id: row for row in leaderboard_rows(replayed.values(), task, evidence)}
    made = []
    for group in group_by_configuration(records, task):
        pairs = [(job, replayed[job.job_id]) for job in finished_records(group) if job.job_id in replayed]
        if pairs:
            made.append(
                _causal_row(
                    own[group[0].group_id, group[0].data_digest], live[pairs[0][1].group_id], pairs, evidence, rate
                )
            )
    places = {key: place for place, key in enumerate(dict.fromkeys(map(board_key, own.values())))}
    return sorted(made, key=lambda row: (places[board_key(row)], -row.value, row.run_id))


def _causal_row(
    own: LeaderboardRow,
    live: LeaderboardRow,
    pairs: list[tuple[Record, Record]],
    evidence: Evidence | None,
    rate: float,
) -> CausalRow:
    from harness.smoothing.kernels import mean_lag, required_lookahead

    offline, replays = zip(*pairs)
    found = evidence.difference(offline, replays) if evidence is not None else None
    before = statistics.fmean(job.metrics[job.metric] for job in offline)
    late = statistics.median(mean_lag(job.kernel, job.radius) for job in replays)
    return CausalRow(
        **own.shared_fields(),
        **{name: getattr(live, name) for name in REPLAY_FIELDS},
        parameters=own.parameters,
        offline=before,
        offline_kernel=own.kernel,
        offline_radius=own.radius,
        look_ahead=statistics.median(required_lookahead(job.kernel, job.radius) for job in offline),
        price=before - live.value,
        price_low=found and found.low,
        price_high=found and found.high,
        price_p=found and found.p,
        delay=late,
        delay_ms=1000 * late / rate,
        rate=rate,
    )


FIELDS = (
    "rank",
    "run_id",
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
    "Causal: kernel, radius and thresholds chosen anew, on the rows that the run chose on, among filters that "
    "know no later frame (trailing mean and median, exponential; gaps hold the last crop). Price: offline "
    "less causal on the same videos and seeds, with its 95 % interval, paired."
)
DELAY_NOTE = (
    "Delay in ms: how late a change comes out in the mean, at {rate:g} frames a second, which is assumed: data "
    "sets of crops do not tell theirs."
)
KERNEL_NAMES = {"trailing_mean": "trailing mean", "trailing_median": "trailing median"}
SHORT_KERNEL_NAMES = {"trailing_mean": "mean", "trailing_median": "median", "exponential": "exp"}
DROPPED, DROPPED_LAST = ("seeds", "price's 95 %", "offline filter"), ("run", "95 % interval", "features")


def render_causal(rows: Sequence[CausalRow], form: str = "table", width: int = 100) -> str:
    """The rows of `causal_rows` as text; see `Boards.render`."""
    return Boards(rows=rows, fields=FIELDS, board=partial(_board, rows=rows), legend=partial(_legend, rows)).render(
        form, width
    )


def _board(listed: Sequence[CausalRow], rows: Sequence[CausalRow]) -> Board:
    return Board(
        rows=listed,
        columns=partial(_columns, listed),
        heading=[*board_title(listed, rows), "offline and in real time"],
        notes=_price_notes(listed),
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
    )


def _columns(listed: Sequence[CausalRow], wording: Wording) -> list[Column]:
    several = len({len(row.seeds) for row in listed} | {1}) > 1
    bound, short = sign_option(listed, "ci_low"), wording.short
    return [
        rank_column(listed),
        *name_columns(listed, wording),
        Column("offline filter", lambda row: _format_filter(row.offline_kernel, row.offline_radius, short)),
        Column("offline", lambda row: f"{row.offline:.3f}", right=True),
        Column("causal filter" if not short else "filter", lambda row: _format_filter(row.kernel, row.radius, short)),
        Column("causal", lambda row: f"{row.value:.3f}", right=True),
        Column("95 % interval", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("price", lambda row: f"{_round_score(row.price):+.3f}", right=True),
        Column("price's 95 %", _format_price_interval),
        Column("ms" if short else "delay", _format_milliseconds if short else _format_delay, right=True),
        *([Column("seeds", lambda row: str(len(row.seeds)), right=True)] if several else []),
        Column("run", lambda row: row.run_id[:6]),
    ]


def _format_filter(kernel: str, radius: float, short: bool) -> str:
    shown = format_smoothing(kernel, radius, short)
    for name, words in (SHORT_KERNEL_NAMES if short else KERNEL_NAMES).items():
        shown = shown.replace(name, words)
    return shown


def _format_price_interval(row: LeaderboardRow) -> str:
    return format_interval(row.price_low, row.price_high, "+")


def _format_delay(row: LeaderboardRow) -> str:
    return f"{row.delay:g} fr, {_format_milliseconds(row)} ms"


def _format_milliseconds(row: LeaderboardRow) -> str:
    return f"{row.delay_ms:.0f}"


def _round_score(value: float) -> float:
    return round(value, 3) + 0.0


def _price_notes(listed: Sequence[CausalRow]) -> list[str]:
    runs = [row for row in listed if row.kind == "run"]
    if not runs:
        return []
    middle = statistics.median(row.price for row in runs)
    waits = statistics.median(row.look_ahead for row in runs)
    return [
        f"Median price of {plural(len(runs), 'run', 'd')}: {_round_score(middle):+.3f}; offline they look "
        f"{waits:g} frames ahead in the median, and a camera would have to wait for those."
    ]


def _legend(rows: Sequence[CausalRow], names: set[str], width: int) -> list[str]:
    if not rows:
        return []
    held = {mark for row in rows for mark in format_marks(row)}
    units = " or ".join(dict.fromkeys(f"{row.unit}s" for row in rows))
    marks = [f"{mark} {meaning.format(units=units)}" for mark, meaning in MARKS.items() if mark in held]
    if any("mixed" in (row.kernel, row.offline_kernel) for row in rows):
        marks.append("mixed: each seed chose its own kernel, and the radius is the median")
    notes = [EXPLANATION, DELAY_NOTE.format(rate=rows[0].rate)]
    if marks:
        notes.append(f"Ranks are of causal scores; {'; '.join(marks)}.")
    return [wrap_sentence(note, width) for note in notes]
