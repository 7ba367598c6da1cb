"""Whether a run leads its board beyond the tie, and if not, why."""

from __future__ import annotations

from collections.abc import Sequence

from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.rows import board_key
from harness.tracking.records import Record

MAX_NAMES = 3
"""Runs that a reason names before it counts the rest."""


def reason_not_champion(record: Record, listed: Sequence[LeaderboardRow]) -> str:
    """'' when the record's run is the best of its held-out board and no other is tied with it.

    listed: the rows of its task, with what their paired tests say.
    """
    if record.kind != "run":
        return f"{record.backbone or record.head} is a baseline"
    own = next(
        (
            row
            for row in listed
            if (row.run_id, row.data_digest, row.split, row.protocol)
            == (record.group_id, record.data_digest, record.split, record.protocol)
        ),
        None,
    )
    if own is None:
        return "its run is on no board here"
    if own.optimistic:
        return f"its protocol, {own.protocol}, chooses on the labels that it is scored on"
    if own.rank is None:
        return "its run has no place on its board"
    others = [row for row in listed if board_key(row) == board_key(own) and row.rank is not None and row is not own]
    better = [row for row in others if row.value > own.value]
    if better:
        best = max(better, key=lambda row: row.value)
        tied = ", with which it is tied" if own.tied_with_best else ""
        return (
            f"the best of its board is {_list_runs([best])} ({best.metric} {best.value:.4f} against "
            f"{own.value:.4f}){tied}"
        )
    tied = [row for row in others if row.tied_with_best]
    if tied:
        return f"it leads its board, but not beyond the tie with {_list_runs(tied)}"
    untested = [row for row in others if row.tied_with_best is None]
    if untested:
        return f"it leads its board, but no paired test can be made with {_list_runs(untested)}"
    return ""


def _list_runs(rows: Sequence[LeaderboardRow]) -> str:
    names = [f"{row.kind} {row.run_id}" for row in rows]
    return ", ".join(names[:MAX_NAMES]) + (f" and {len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else "")
