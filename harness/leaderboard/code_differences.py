"""Rows and runs that were made by different code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from harness.leaderboard.ranking import UNRANKED
from harness.leaderboard.row_types import LeaderboardRow
from harness.tracking.code_identity import code_key
from harness.tracking.records import Record
from harness.utils.hashing import content_hash

OTHER_CODE = "other_code"
"""Flag of a row that was made by other code than most rows of its board."""
MIXED = "mixed"
"""Code of a row whose seeds were made by different code."""
PARTS = ("harness", "backbones", "recipe")
"""Names of the parts that `code_key` returns."""


def shared_code(jobs: Sequence[Record]) -> str | None:
    """Return a hash of the code of all jobs, or `mixed` if the jobs differ.

    The result is None if there are no jobs, or a job has no recorded code.
    """
    keys = {code_key(job.code) for job in jobs}
    if not keys or None in keys:
        return None
    return content_hash(list(keys.pop() or ())) if len(keys) == 1 else MIXED


def flag_other_code(board_rows: Sequence[LeaderboardRow]) -> None:
    """Flag the rows of one board whose code differs from the code of most rows.

    Rows without recorded code are neither counted nor flagged. Rows whose jobs differ in code (`mixed`) are not counted
    but always flagged. If several versions of the code have equally many rows, that of the best row counts as the code
    of most rows.

    Parameters
    ----------
    board_rows : sequence of LeaderboardRow
        The rows, changed in place.
    """
    counts = Counter(row.code for row in board_rows if row.code not in (None, MIXED))
    if not counts:
        common: str | None = MIXED
    else:
        most = max(counts.values())
        candidates = [row for row in board_rows if counts.get(row.code or "") == most]
        common = min(candidates, key=_order).code
    for row in board_rows:
        if row.code is not None and (row.code != common or row.code == MIXED):
            row.flags = sorted({*row.flags, OTHER_CODE})


def differing_code(first: Sequence[Record], second: Sequence[Record]) -> dict[str, tuple[str, str]]:
    """Return the parts of the code in which two runs differ, with both hashes; empty if a run has no recorded code."""
    sides = [[dict(zip(PARTS, key)) for job in jobs if (key := code_key(job.code))] for jobs in (first, second)]
    if not all(sides):
        return {}
    shown = [{name: _join(side, name) for name in PARTS} for side in sides]
    return {name: (shown[0][name], shown[1][name]) for name in PARTS if shown[0][name] != shown[1][name]}


def _join(keys: Sequence[Mapping[str, str]], name: str) -> str:
    return " and ".join(dict.fromkeys(key[name] or "only settings" for key in keys))


def _order(row: LeaderboardRow) -> tuple[bool, float, str]:
    """Return a sort key: ranked rows come first, and higher values before lower ones."""
    return not UNRANKED.isdisjoint(row.flags), -(row.value or 0.0), row.run_id
