"""What choosing on the reported split adds: each configuration under both protocols, side by side."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.leaderboard.board import Board, Boards
from harness.leaderboard.columns import format_interval, format_p_value, format_smoothing, name_columns, sign_option
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.rows import Evidence, board_key, finished_records, group_by_configuration, leaderboard_rows
from harness.leaderboard.table import board_title
from harness.leaderboard.table_layout import Column, Wording
from harness.tracking.records import Record
from harness.utils.hashing import content_hash
from harness.utils.text import plural

HELD_OUT, PUBLISHED = "held-out", "published"


@dataclass(kw_only=True)
class OptimismRow(BoardRow):
    """A held-out configuration and the same under the published protocol; see `optimism_rows`."""

    published_run_id: str
    seeds: list[int]
    held_out: float
    published: float
    gap: float
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    chosen: dict[str, list]
    refit: bool


def optimism_rows(
    records: Iterable[Record], task: str | None = None, evidence: Evidence | None = None
) -> list[OptimismRow]:
    """One row for each held-out configuration that was also run under the published protocol.

    Everything but the protocol is the same. `held_out` and `published` are means over the seeds both have, `gap` is
    published less held-out, `ci_low`, `ci_high` and `p_value` (not adjusted) those of the paired test, None without
    statistics. `refit`: whether the held-out model was trained again on all training videos, as the published one is.
    `run_id` and `published_run_id` name the two; `chosen` is what each chose: kernel and radius. Boards one after
    another, best held-out row first.
    """
    records = list(records)
    listed = {row.run_id: row for row in leaderboard_rows(records, task)}
    sides: dict[str, dict[str, list[list[Record]]]] = {HELD_OUT: defaultdict(list), PUBLISHED: defaultdict(list)}
    for group in group_by_configuration(records, task):
        done = finished_records(group)
        if done and done[0].protocol in sides and done[0].config and _depends_on_protocol(done[0]):
            sides[done[0].protocol][_hash_without_protocol(done[0])].append(done)
    pairs = [
        (own, other)
        for key, found in sides[HELD_OUT].items()
        for own in found
        for other in sides[PUBLISHED].get(key, ())
    ]
    made = [
        _optimism_row(listed[own[0].group_id], listed[other[0].group_id], own, other, evidence)
        for own, other in pairs
        if {job.seed for job in own} & {job.seed for job in other}
    ]
    places = {key: place for place, key in enumerate(dict.fromkeys(map(board_key, listed.values())))}
    return sorted(made, key=lambda row: (places[board_key(row)], -row.held_out, row.run_id, row.published_run_id))


def _optimism_row(
    own: LeaderboardRow,
    other: LeaderboardRow,
    held_out: list[Record],
    published: list[Record],
    evidence: Evidence | None,
) -> OptimismRow:
    seeds = sorted({job.seed for job in held_out} & {job.seed for job in published})
    found = evidence.difference(published, held_out) if evidence is not None else None
    held_out, published = ([job for job in jobs if job.seed in seeds] for jobs in (held_out, published))
    below, above = (sum(job.metrics[job.metric] for job in jobs) / len(seeds) for jobs in (held_out, published))
    return OptimismRow(
        **own.shared_fields(),
        published_run_id=other.run_id,
        seeds=seeds,
        held_out=below,
        published=above,
        gap=above - below,
        ci_low=found and found.low,
        ci_high=found and found.high,
        p_value=found and found.p,
        chosen={HELD_OUT: [own.kernel, own.radius], PUBLISHED: [other.kernel, other.radius]},
        refit=_is_refit(held_out[0].config),
    )


def _depends_on_protocol(record: Record) -> bool:
    """Whether a protocol has any say: published figures are not ours, and what repeats labels chooses nothing."""
    return record.kind != "published" and "uses_labels" not in record.flags


def _hash_without_protocol(record: Record) -> str:
    return content_hash({name: value for name, value in record.config.items() if name != "protocol"}, 24)


def _is_refit(config: Mapping[str, Any]) -> bool:
    protocol = config.get("protocol")
    return isinstance(protocol, Mapping) and bool(protocol.get("refit"))


FIELDS = (
    "task",
    "dataset",
    "split",
    "metric",
    "kind",
    "flags",
    "backbone",
    "weights",
    "random_weights",
    "features",
    "head",
    "settings",
    "distinction",
    "run_id",
    "published_run_id",
    "seeds",
    "held_out",
    "published",
    "gap",
    "ci_low",
    "ci_high",
    "p_value",
    "refit",
    "units",
    "unit",
    "data_digest",
)
EXPLANATION = (
    "Published chooses epochs, thresholds and smoothing on the reported split itself{videos}. Gap: published "
    "less held-out on the same videos and seeds, with its 95 % interval and p of the paired test."
)
MORE_VIDEOS_NOTE = ", and its models are trained on the held-out videos as well"
DROPPED, DROPPED_LAST = ("seeds", "smoothing", "p"), ("run", "features")


def render_optimism(rows: Sequence[OptimismRow], form: str = "table", width: int = 100) -> str:
    """The rows of `optimism_rows` as text; see `Boards.render`."""
    return Boards(rows=rows, fields=FIELDS, board=partial(_board, rows=rows)).render(form, width)


def _board(listed: Sequence[OptimismRow], rows: Sequence[OptimismRow]) -> Board:
    more = "" if all(row.refit for row in listed) else MORE_VIDEOS_NOTE
    gaps = [row.gap for row in listed if row.kind == "run"]
    median = [f"Median gap of {plural(len(gaps), 'run', 'd')}: {statistics.median(gaps):+.3f}."] if gaps else []
    return Board(
        rows=listed,
        columns=partial(_columns, listed),
        heading=[*board_title(listed, rows), "held-out against published protocol"],
        notes=[EXPLANATION.format(videos=more), *median],
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
    )


def _columns(listed: Sequence[OptimismRow], wording: Wording) -> list[Column]:
    smoothed, bound = any(_format_chosen_smoothing(row) != "none" for row in listed), sign_option(listed, "ci_low")
    return [
        *name_columns(listed, wording),
        *([Column("smoothing", _format_chosen_smoothing)] if smoothed else []),
        Column("held-out", lambda row: f"{row.held_out:.3f}", right=True),
        Column("published", lambda row: f"{row.published:.3f}", right=True),
        Column("gap", lambda row: f"{row.gap:+.3f}", right=True),
        Column("95 % interval", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("p", lambda row: format_p_value(row.p_value)),
        Column("seeds", lambda row: str(len(row.seeds)), right=True),
        Column("run", lambda row: row.run_id[:6]),
    ]


def _format_chosen_smoothing(row: OptimismRow) -> str:
    """What the held-out run chose, and what the published one chose where that is something else."""
    first, second = (format_smoothing(kernel, radius) for kernel, radius in row.chosen.values())
    return first if first == second else f"{first} | {second}"
