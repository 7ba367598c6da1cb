"""Decide whether a run is significantly better than every other run of its leaderboard."""

from __future__ import annotations

from collections.abc import Sequence

from backbones.errors import join_first
from harness.leaderboard.row_keys import board_key
from harness.leaderboard.row_types import LeaderboardRow
from harness.tracking.records import Record

MAX_NAMES = 3
"""Largest number of runs named in a reason."""


def reason_not_champion(record: Record, rows: Sequence[LeaderboardRow]) -> str:
    """Explain why a run is not the champion of its leaderboard.

    Parameters
    ----------
    record : Record
        Record of the run.
    rows : sequence of LeaderboardRow
        Leaderboard rows of the run's task, with the results of paired tests.

    Returns
    -------
    str
        The reason, or "" if the run is the champion. The score of a champion is verified and not optimistic, and it is
        significantly better than that of every other ranked run of its leaderboard.
    """
    if record.kind != "run":
        return f"{record.backbone or record.head} is a baseline"
    this_row = next(
        (
            row
            for row in rows
            if (row.run_id, row.data_digest, row.split, row.protocol)
            == (record.group_id, record.data_digest, record.split, record.protocol)
        ),
        None,
    )
    if this_row is None:
        return "its run is not on a leaderboard of this store"
    if this_row.optimistic:
        return f"its protocol, {this_row.protocol}, selects on the labels that it is scored on"
    if this_row.rank is None:
        return "its run is not ranked on its leaderboard"
    if this_row.has_statistics is False:
        return "its score could not be verified, because its statistics are missing"
    others = [
        row for row in rows if board_key(row) == board_key(this_row) and row.rank is not None and row is not this_row
    ]
    better = [row for row in others if _value(row) > _value(this_row)]
    if better:
        best = max(better, key=_value)
        tie = " (not significantly different)" if this_row.tied_with_best else ""
        return (
            f"the best run of its leaderboard is {_list_runs([best])} with {best.metric} {best.value:z.4f}; this run "
            f"has {this_row.value:z.4f}{tie}"
        )
    tied = [row for row in others if row.tied_with_best]
    if tied:
        return f"it leads its leaderboard but is not significantly different from {_list_runs(tied)}"
    untested = [row for row in others if row.tied_with_best is None]
    if untested:
        return f"it leads its leaderboard but no paired test is possible with {_list_runs(untested)}"
    return ""


def _value(row: LeaderboardRow) -> float:
    assert row.value is not None, "ranked rows have a value"
    return row.value


def _list_runs(rows: Sequence[LeaderboardRow]) -> str:
    return join_first((f"{row.kind} {row.run_id}" for row in rows), MAX_NAMES)
