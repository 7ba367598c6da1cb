"""Result of running a recipe, and leaderboard rows as a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.leaderboard.boards import board_rows
from harness.leaderboard.render import FIELDS
from harness.leaderboard.row_types import LeaderboardRow
from harness.tracking.records import Record
from harness.utils.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.runner.run import RunResult


def to_data_frame(rows: Sequence[LeaderboardRow]) -> pd.DataFrame:
    """Convert leaderboard rows to a DataFrame.

    Parameters
    ----------
    rows : sequence of LeaderboardRow
        The rows.

    Returns
    -------
    pandas.DataFrame
        The fields of `--format json` as columns; `metrics` holds dicts.
    """
    import pandas as pd

    more = ("untested", "has_statistics", "verified", "problems", "code", "metrics")
    frame = pd.DataFrame([row.as_dict() for row in rows], columns=[*FIELDS, *more])
    return frame.astype({"rank": "Int64", "tied_with_best": "boolean"})


@dataclass(frozen=True, eq=False)
class RecipeResult:
    """Result of `run`.

    Attributes
    ----------
    boards : pandas.DataFrame
        The leaderboards that the recipe contributes to, with all their runs; columns: see `leaderboard`.
    computed, cached : int
        Jobs that were run, and jobs that were already finished.
    failures : list of Record
        Jobs that failed, each with its `error`.
    lost : str or None
        Why records could not be sent to the tracking server, or None. Such records are in the store, and the next run
        sends them.
    run_result : RunResult
        The result of `harness.runner.run.run`.
    store : Store
        The store of the runs.
    """

    run_result: RunResult
    store: Store

    @property
    def computed(self) -> int:
        """Number of jobs that were run."""
        return self.run_result.computed

    @property
    def cached(self) -> int:
        """Number of jobs that were already finished."""
        return self.run_result.cached

    @property
    def failures(self) -> list[Record]:
        """Records of the jobs that failed."""
        return self.run_result.failures

    @property
    def lost(self) -> str | None:
        """Why records could not be sent to the tracking server, or None."""
        return self.run_result.lost

    @cached_property
    def boards(self) -> pd.DataFrame:
        """The leaderboards that the recipe contributes to."""
        return to_data_frame(board_rows(self.store, boards=self.run_result.boards, from_store=self.lost is not None))

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<RecipeResult: {self.computed} jobs run{failed}, {self.cached} already finished, in {self.store}>"
