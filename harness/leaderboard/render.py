"""Rendering of the leaderboard as text, CSV, JSON or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from harness.leaderboard.board import FORMATS, Boards, escape_rows
from harness.leaderboard.differing_settings import unique_prefix
from harness.leaderboard.row_types import CONFIGURATION_FIELDS, LeaderboardRow
from harness.leaderboard.table import board_legend, make_board

__all__ = ["FIELDS", "FORMATS", "render"]

FIELDS = (
    "rank",
    "run_id",
    *CONFIGURATION_FIELDS,
    "kernel",
    "radius",
    "seeds",
    "seeds_missing",
    "trainings",
    "trainings_missing",
    "metric",
    "value",
    "std",
    "std_trainings",
    "std_seeds",
    "ci_low",
    "ci_high",
    "ci_method",
    "corrected",
    "few_units",
    "without_rare",
    "rare_classes",
    "tied_with_best",
    "p_value",
    "detectable",
    "refit",
    "configurations",
    "expected_luck",
    "unsmoothed",
    "undefined",
    "coverage",
    "units",
    "unit",
    "parameters",
    "data_digest",
    "source",
    "note",
    "oracle",
)


def render(rows: Sequence[LeaderboardRow], form: str = "table", width: int | None = 100, bold: bool = False) -> str:
    """Format the leaderboard.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
        The result of `harness.leaderboard.rows.leaderboard_rows`.
    form : {"table", "csv", "json", "md"}
        The format.
    width : int or None, default=100
        Maximum characters of a line, for `table` only. If None, rows have any length and notes are wrapped at 100.
    bold : bool, default=False
        Print the best row in bold, for a terminal.

    Returns
    -------
    str
        The text, with a newline at its end.

    Raises
    ------
    InputError
        If the format is unknown.
    """
    rows = escape_rows(rows, form)
    run_length = unique_prefix(row.run_id for row in rows if row.kind != "published")
    return Boards(
        rows=rows,
        fields=FIELDS,
        board=partial(make_board, rows=rows, run_length=run_length),
        legend=partial(board_legend, rows),
        empty="no rows",
    ).render(form, width, bold)
