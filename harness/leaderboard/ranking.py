"""The places of a board's rows, and which of them cannot be told from the best."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.significance import PairedDifference

SIGNIFICANCE_LEVEL = 0.05
"""A difference with a p up to it is shown."""
CompareRows = Callable[[LeaderboardRow, LeaderboardRow], PairedDifference | None]
"""The paired difference of a row to another, None where no test can be made."""


def rank_rows(board_rows: list[LeaderboardRow], against: CompareRows | None) -> list[LeaderboardRow]:
    """The rows in order with `rank`, and with `tied_with_best`, `p_value` and `detectable` where `against` tells.

    `untested` are those of which it cannot tell, on a board of which it can.
    """
    ordered = sorted(board_rows, key=_sort_key)
    placed = [row for row in ordered if _sort_key(row)[0] == 0]
    if placed and against is not None:
        _test_against_best(placed[0], placed[1:], against)
    for place, row in enumerate(placed):
        before = placed[place - 1] if place else row
        alike = (row.value, row.tied_with_best) == (before.value, before.tied_with_best) and place
        row.rank = 1 if row.tied_with_best else before.rank if alike else place + 1
    return ordered


def _sort_key(row: LeaderboardRow) -> tuple:
    """Ranked rows, those that use labels, published figures, those without a value; the best first."""
    value = row.value
    part = 3 if value is None else 2 if row.kind == "published" else 1 if "uses_labels" in row.flags else 0
    return part, 0.0 if value is None else -value, row.run_id


def _test_against_best(best: LeaderboardRow, others: Sequence[LeaderboardRow], against: CompareRows) -> None:
    """Every other row against the best, adjusted for how many they are."""
    tested = [(row, made) for row in others if (made := against(row, best)) is not None and made.p is not None]
    if tested:
        from harness.metrics.paired_tests import holm_bonferroni

        adjusted = holm_bonferroni([made.p for _, made in tested])
        for (row, made), p in zip(tested, adjusted):
            row.p_value, row.detectable = float(p), made.detectable
            row.tied_with_best = bool(p > SIGNIFICANCE_LEVEL)
        for row in others:
            row.untested = row.p_value is None
    best.tied_with_best = True if tested or not others else None
