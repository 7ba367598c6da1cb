"""Ranking of a board's rows, and tests of each row against the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from harness.leaderboard.row_types import ORACLE_FLAG, LeaderboardRow
from harness.leaderboard.significance_results import BoardComparison, PairedDifference

SIGNIFICANCE_LEVEL = 0.05
"""A difference is significant if its p-value is at most this."""
UNRANKED = frozenset({ORACLE_FLAG, "altered"})
"""Flags of rows that are not ranked, and are never the best row that others are tested against."""


@dataclass(frozen=True)
class BoardTests:
    """Tests of the rows of a board.

    Attributes
    ----------
    pair : callable
        Computes the paired difference of two rows; returns None if they cannot be tested.
    board : callable
        Compares rows with the best of them; returns None if they cannot be tested.
    has_statistics : callable
        Returns whether the statistics of all jobs of a row are available.
    """

    pair: Callable[[LeaderboardRow, LeaderboardRow], PairedDifference | None]
    board: Callable[[Sequence[LeaderboardRow]], BoardComparison | None]
    has_statistics: Callable[[LeaderboardRow], bool]


def rank_rows(board_rows: list[LeaderboardRow], tests: BoardTests | None) -> list[LeaderboardRow]:
    """Sort and rank the rows of a board.

    Rows are ranked by value; equal values share a rank. Sets `rank`, `configurations` and, if there are `tests`,
    `tied_with_best`, `p_value`, `detectable`, `untested`, `has_statistics` and `expected_luck`.

    Parameters
    ----------
    board_rows : list of LeaderboardRow
        The rows of one board, changed in place.
    tests : BoardTests or None
        None to skip the tests.

    Returns
    -------
    list of LeaderboardRow
        All rows: ranked rows by value, then altered rows, then published figures, then rows without a value, and last
        the oracles.
    """
    ordered = sorted(board_rows, key=_sort_key)
    ranked = [row for row in ordered if _sort_key(row)[0] == 0]
    for i, row in enumerate(ranked):
        previous = ranked[i - 1] if i else row
        row.rank = previous.rank if i and row.value == previous.value else i + 1
        row.configurations = sum(each.kind == "run" for each in ranked)
    if ranked and tests is not None:
        _test_against_best(ranked, tests)
    return ordered


def _sort_key(row: LeaderboardRow) -> tuple[int, float, str]:
    """Order ranked rows, altered rows, published figures, rows without a value and oracles."""
    value = row.value
    unranked = not UNRANKED.isdisjoint(row.flags)
    part = 4 if row.oracle else 3 if value is None else 2 if row.kind == "published" else 1 if unranked else 0
    return part, 0.0 if value is None else -value, row.run_id


def _test_against_best(ranked: Sequence[LeaderboardRow], tests: BoardTests) -> None:
    """Test all rows jointly against the best row, and also each row alone against the best row.

    The best row is the first one with statistics (sufficient statistics per video or subject). A row without them
    cannot be tested, and must not prevent the tests of other rows. Each row gets the larger p-value and the larger
    detectable difference of its two tests. So a row is marked as worse only if both tests find it worse.
    """
    for row in ranked:
        row.has_statistics = tests.has_statistics(row)
        row.untested = not row.has_statistics
    testable = [row for row in ranked if row.has_statistics]
    if not testable:
        return
    best = testable[0]
    differences = [(row, tests.pair(row, best)) for row in testable[1:]]
    pairs = [
        (row, difference, difference.p) for row, difference in differences if difference and difference.p is not None
    ]
    result = tests.board([best, *(row for row, _, _ in pairs)]) if pairs else None
    if result is not None:
        for (row, difference, p_pair), p, detectable in zip(pairs, result.p[1:], result.detectable[1:]):
            row.p_value = max(p, p_pair)
            row.tied_with_best = row.p_value > SIGNIFICANCE_LEVEL
            both = [value for value in (detectable, difference.detectable) if value is not None]
            row.detectable = max(both) if len(both) == 2 else None
        for row in ranked:
            row.untested = row.p_value is None and row is not best
            row.expected_luck = result.luck or None
    best.tied_with_best = True if result is not None or len(testable) == 1 else None
