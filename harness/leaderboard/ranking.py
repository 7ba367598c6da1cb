"""Ranking of a board's rows, and tests of each row against the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.significance import PairedDifference

SIGNIFICANCE_LEVEL = 0.05
"""A difference is significant if its p-value is at most this."""
CompareRows = Callable[[LeaderboardRow, LeaderboardRow], PairedDifference | None]
"""Computes the paired difference of two rows; None if they cannot be tested."""


def rank_rows(board_rows: list[LeaderboardRow], compare: CompareRows | None) -> list[LeaderboardRow]:
    """Sort and rank the rows of a board.

    Sets `rank` and, if there is a `compare`, `tied_with_best`, `p_value`, `detectable` and `untested`. Rows that do
    not differ significantly from the best share rank 1; equal values share a rank.

    Parameters
    ----------
    board_rows : list of LeaderboardRow
        The rows of one board, changed in place.
    compare : callable or None
        Computes the paired difference of a row and the best one; None to make no tests.

    Returns
    -------
    list of LeaderboardRow
        Ranked rows by value, then rows that use labels, published figures and rows without a value.
    """
    ordered = sorted(board_rows, key=_sort_key)
    ranked = [row for row in ordered if _sort_key(row)[0] == 0]
    if ranked and compare is not None:
        _test_against_best(ranked[0], ranked[1:], compare)
    for i, row in enumerate(ranked):
        previous = ranked[i - 1] if i else row
        equal = i > 0 and (row.value, row.tied_with_best) == (previous.value, previous.tied_with_best)
        row.rank = 1 if row.tied_with_best else previous.rank if equal else i + 1
    return ordered


def _sort_key(row: LeaderboardRow) -> tuple[int, float, str]:
    """Order ranked rows, rows that use labels, published figures and rows without a value; the best first."""
    value = row.value
    part = 3 if value is None else 2 if row.kind == "published" else 1 if "uses_labels" in row.flags else 0
    return part, 0.0 if value is None else -value, row.run_id


def _test_against_best(best: LeaderboardRow, others: Sequence[LeaderboardRow], compare: CompareRows) -> None:
    """Test every other row against the best, with Holm's correction for the number of rows."""
    tested: list[tuple[LeaderboardRow, PairedDifference, float]] = []
    for row in others:
        difference = compare(row, best)
        if difference is not None and difference.p is not None:
            tested.append((row, difference, difference.p))
    if tested:
        from harness.metrics.multiple_tests import holm_bonferroni

        adjusted = holm_bonferroni([p for _, _, p in tested])
        for (row, difference, _), p in zip(tested, adjusted):
            row.p_value, row.detectable = float(p), difference.detectable
            row.tied_with_best = bool(p > SIGNIFICANCE_LEVEL)
        for row in others:
            row.untested = row.p_value is None
    best.tied_with_best = True if tested or not others else None
