"""Optimism bias of selecting on the reported split: scores of each configuration under both protocols.

The held-out protocol selects on a part of the training videos, the published protocol on the reported split itself.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from harness.leaderboard.board import Board, Boards, escape_rows
from harness.leaderboard.columns import format_interval, format_p_value, format_smoothing, name_columns, sign_option
from harness.leaderboard.configuration_row import SignificanceProvider
from harness.leaderboard.configurations import finished_records, group_by_configuration
from harness.leaderboard.repetitions import pair_jobs
from harness.leaderboard.row_keys import board_key
from harness.leaderboard.row_types import BoardRow, LeaderboardRow
from harness.leaderboard.rows import leaderboard_rows
from harness.leaderboard.table import board_title
from harness.leaderboard.table_layout import Column, Wording
from harness.tracking.records import Record
from harness.utils.hashing import content_hash
from harness.utils.text import plural

HELD_OUT, PUBLISHED = "held-out", "published"


@dataclass(kw_only=True)
class OptimismRow(BoardRow):
    """A held-out configuration and its counterpart under the published protocol.

    `run_id` identifies the held-out configuration.

    Attributes
    ----------
    published_run_id : str
        Run id of the configuration under the published protocol.
    seeds : list of int
        Seeds that are finished under both protocols.
    held_out, published : float
        Mean scores over these seeds.
    gap : float
        `published` minus `held_out`.
    ci_low, ci_high : float or None
        95% confidence interval of the gap; None if the runs have no statistics for each unit.
    p_value : float or None
        P-value of the paired permutation test, not adjusted for the number of rows; None like the interval.
    chosen : dict
        Selected smoothing kernel and its radius in frames, by protocol.
    refit : bool
        Whether the held-out model was refitted on all training videos; the published one is always trained on them.
    """

    published_run_id: str
    seeds: list[int]
    held_out: float
    published: float
    gap: float
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    chosen: dict[str, list[Any]]
    refit: bool


def optimism_rows(
    records: Iterable[Record], task: str | None = None, significance: SignificanceProvider | None = None
) -> list[OptimismRow]:
    """Build one row for each pair of a held-out and a published configuration that differ only in the protocol.

    Pairs without a common seed are left out.

    Parameters
    ----------
    records : iterable of Record
        Records in any order.
    task : str, optional
        Default: all tasks.
    significance : SignificanceProvider, optional
        Source of intervals and tests.

    Returns
    -------
    list of OptimismRow
        Rows grouped by board; on each board the best held-out score first.
    """
    records = list(records)
    rows = {row.run_id: row for row in leaderboard_rows(records, task)}
    groups: dict[str, dict[str, list[list[Record]]]] = {HELD_OUT: defaultdict(list), PUBLISHED: defaultdict(list)}
    for group in group_by_configuration(records, task):
        finished = finished_records(group)
        if finished and finished[0].protocol in groups and finished[0].config and _depends_on_protocol(finished[0]):
            groups[finished[0].protocol][_hash_without_protocol(finished[0])].append(finished)
    pairs = [
        (held_out, published)
        for key, configurations in groups[HELD_OUT].items()
        for held_out in configurations
        for published in groups[PUBLISHED].get(key, ())
    ]
    optimism = [
        _optimism_row(rows[held_out[0].group_id], rows[published[0].group_id], held_out, published, significance)
        for held_out, published in pairs
        if pair_jobs(held_out, published)
    ]
    board_order = {key: i for i, key in enumerate(dict.fromkeys(map(board_key, rows.values())))}
    return sorted(
        optimism, key=lambda row: (board_order[board_key(row)], -row.held_out, row.run_id, row.published_run_id)
    )


def _optimism_row(
    held_out_row: LeaderboardRow,
    published_row: LeaderboardRow,
    held_out: list[Record],
    published: list[Record],
    significance: SignificanceProvider | None,
) -> OptimismRow:
    pairs = pair_jobs(held_out, published)
    difference = significance.difference(published, held_out) if significance is not None else None
    held_out, published = ([pair[side] for pair in pairs] for side in (0, 1))
    held_out_score, published_score = (
        sum(job.metrics[job.metric] for job in jobs) / len(jobs) for jobs in (held_out, published)
    )
    return OptimismRow(
        **held_out_row.shared_fields(),
        published_run_id=published_row.run_id,
        seeds=sorted({job.seed for job in held_out}),
        held_out=held_out_score,
        published=published_score,
        gap=published_score - held_out_score,
        ci_low=difference.low if difference else None,
        ci_high=difference.high if difference else None,
        p_value=difference.p if difference else None,
        chosen={
            HELD_OUT: [held_out_row.kernel, held_out_row.radius],
            PUBLISHED: [published_row.kernel, published_row.radius],
        },
        refit=_is_refit(held_out[0].config),
    )


def _depends_on_protocol(record: Record) -> bool:
    """Return whether the result depends on the protocol. Scores quoted from publications and oracles do not."""
    return record.kind != "published" and "uses_labels" not in record.flags


def _hash_without_protocol(record: Record) -> str:
    config = {name: value for name, value in record.config.items() if name != "protocol"}
    return content_hash(config | ({"entry": record.training_group} if record.training_group else {}), 24)


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
    "The published protocol selects epochs, thresholds and smoothing on the reported split itself{videos}. "
    "Gap: published minus held-out on the same videos and seeds, with 95% CI and p-value of the paired test."
)
MORE_VIDEOS_NOTE = ", and also trains on the training videos that held-out sets aside for selection"
BOTH_FILTERS = "smoothing (held-out | published)"
DROPPED, DROPPED_LAST = ("seeds", "smoothing", BOTH_FILTERS, "p-value"), ("run id", "features", "95% CI of gap")


def render_optimism(rows: Sequence[OptimismRow], form: str = "table", width: int | None = 100) -> str:
    """Format the rows of `optimism_rows`; see `Boards.render`."""
    rows = escape_rows(rows, form)
    return Boards(rows=rows, fields=FIELDS, board=partial(_board, rows=rows)).render(form, width)


def _board(board_rows: Sequence[OptimismRow], rows: Sequence[OptimismRow]) -> Board:
    videos = "" if all(row.refit for row in board_rows) else MORE_VIDEOS_NOTE
    gaps = [row.gap for row in board_rows if row.kind == "run"]
    median = [f"Median gap of {plural(len(gaps), 'run', 'd')}: {statistics.median(gaps):+z.3f}."] if gaps else []
    return Board(
        rows=board_rows,
        columns=partial(_columns, board_rows),
        heading=[*board_title(board_rows, rows), "held-out vs. published protocol"],
        notes=[EXPLANATION.format(videos=videos), *median],
        dropped=DROPPED,
        dropped_last=DROPPED_LAST,
    )


def _columns(rows: Sequence[OptimismRow], wording: Wording) -> list[Column]:
    filters, bound = {_format_chosen_smoothing(row) for row in rows}, sign_option(rows, "ci_low")
    smoothing = Column(BOTH_FILTERS if any("|" in text for text in filters) else "smoothing", _format_chosen_smoothing)
    return [
        *name_columns(rows, wording),
        *([smoothing] if filters != {"none"} else []),
        Column("held-out", lambda row: f"{row.held_out:z.3f}", right=True),
        Column("published", lambda row: f"{row.published:z.3f}", right=True),
        Column("gap", lambda row: f"{row.gap:+z.3f}", right=True),
        Column("95% CI of gap", lambda row: format_interval(row.ci_low, row.ci_high, bound)),
        Column("p-value", lambda row: format_p_value(row.p_value)),
        Column("seeds", lambda row: str(len(row.seeds)), right=True),
        Column("run id", lambda row: row.run_id[:6]),
    ]


def _format_chosen_smoothing(row: OptimismRow) -> str:
    """Format the filter of the held-out run, followed by the published one if it differs."""
    first, second = (format_smoothing(kernel, radius) for kernel, radius in row.chosen.values())
    return first if first == second else f"{first} | {second}"
