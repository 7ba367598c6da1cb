"""Ranked leaderboard rows, which depend only on the records and their statistics, not on the order of the records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from harness.leaderboard.code_differences import flag_other_code
from harness.leaderboard.configuration_row import SignificanceProvider, make_row
from harness.leaderboard.configurations import finished_records, group_by_configuration, representative_record
from harness.leaderboard.differing_settings import distinguishing_settings
from harness.leaderboard.ranking import BoardTests, rank_rows
from harness.leaderboard.row_keys import board_key, board_sort_key, display_key, row_key
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.verification_result import VerifyJobs
from harness.tracking.records import Record


def leaderboard_rows(
    records: Iterable[Record],
    task: str | None = None,
    significance: SignificanceProvider | None = None,
    verify: VerifyJobs | None = None,
) -> list[LeaderboardRow]:
    """Build and rank one row for each configuration.

    A board is defined by task, dataset (by digest), split and protocol. Within a board, runs and baselines are ranked
    by value; rows of equal value are sorted by run id. Other rows follow with rank None: rows with altered files,
    published figures, rows without a finished seed, and last the oracles, which use the labels of the reported split.
    Rows that do not differ significantly from the best are marked by `tied_with_best`.

    Parameters
    ----------
    records : iterable of Record
        Records in any order.
    task : str, optional
        Default: all tasks.
    significance : SignificanceProvider, optional
        Source of intervals and tests. If it gives a row no interval, but the records of all seeds of the row have one,
        the row gets the mean of these intervals, with the method `records`.
    verify : callable, optional
        Verifies the finished jobs of a configuration. Rows with a problem are flagged `altered` and not ranked.

    Returns
    -------
    list of LeaderboardRow
        Rows grouped by board, best row first; `run_id` is the `group_id` of the configuration's records.
    """
    groups = group_by_configuration(records, task)
    boards: dict[tuple[str, ...], list[LeaderboardRow]] = defaultdict(list)
    jobs: dict[tuple[str, str], list[Record]] = {}
    for group in groups:
        row = make_row(group, significance, verify)
        boards[board_key(row)].append(row)
        jobs[row_key(row)] = group
    for board_rows in boards.values():
        representatives = [representative_record(jobs[row_key(row)]) for row in board_rows]
        distinctions = distinguishing_settings([display_key(row) for row in board_rows], representatives)
        for row, distinction in zip(board_rows, distinctions):
            row.distinction = distinction
        flag_other_code(board_rows)
        if significance is not None:
            _score_without_rare(board_rows, jobs, significance)

    tests = None if significance is None else _board_tests(significance, jobs)
    return [row for board_rows in sorted(boards.values(), key=board_sort_key) for row in rank_rows(board_rows, tests)]


def _score_without_rare(
    board_rows: list[LeaderboardRow], jobs: Mapping[tuple[str, str], list[Record]], significance: SignificanceProvider
) -> None:
    """Set `without_rare`: the score of each row without the classes that are rare in some row of the board."""
    rare = {name for row in board_rows for name in row.rare_classes}
    for row in board_rows if rare else []:
        if row.kind != "published":
            row.without_rare = significance.score_without(finished_records(jobs[row_key(row)]), rare)


def _board_tests(significance: SignificanceProvider, jobs: Mapping[tuple[str, str], list[Record]]) -> BoardTests:
    """Build the tests of rows from the tests of their finished jobs."""

    def finished(row: LeaderboardRow) -> list[Record]:
        return finished_records(jobs[row_key(row)])

    return BoardTests(
        pair=lambda row, best: significance.difference(finished(row), finished(best)),
        board=lambda rows: significance.best_comparison([finished(row) for row in rows]),
        has_statistics=lambda row: all(significance.find_statistics(job) is not None for job in finished(row)),
    )
