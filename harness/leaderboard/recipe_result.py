"""What running a recipe came to, and leaderboard rows as a DataFrame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from harness.leaderboard.boards import board_rows
from harness.leaderboard.render import FIELDS
from harness.leaderboard.row_types import LeaderboardRow
from harness.utils.store import Store

if TYPE_CHECKING:
    import pandas as pd

    from harness.runner.run import RunResult
    from harness.tracking.records import Record


def to_data_frame(rows: Sequence[LeaderboardRow]) -> pd.DataFrame:
    """Leaderboard rows with the fields of `--format json` as columns; those of `metrics` are dicts."""
    import pandas as pd

    frame = pd.DataFrame([row.as_dict() for row in rows], columns=[*FIELDS, "untested", "metrics"])
    return frame.astype({"rank": "Int64", "tied_with_best": "boolean"})


@dataclass(frozen=True, eq=False)
class RecipeResult:
    """What `run` did.

    Attributes
    ----------
    boards : pandas.DataFrame
        The leaderboards that the recipe fills, other runs on them included; columns: see `leaderboard`.
    computed, cached : int
        Jobs that were run, and jobs that were finished before.
    failures : list of Record
        Jobs that failed, each with its `error`.
    lost : str or None
        Why records could not be sent to the tracking server; they are in the store, and the next run sends them.
    """

    outcome: RunResult
    store: Store

    @property
    def computed(self) -> int:
        return self.outcome.computed

    @property
    def cached(self) -> int:
        return self.outcome.cached

    @property
    def failures(self) -> list[Record]:
        return self.outcome.failures

    @property
    def lost(self) -> str | None:
        return self.outcome.lost

    @cached_property
    def boards(self) -> pd.DataFrame:
        return to_data_frame(board_rows(self.store, boards=self.outcome.boards, from_store=self.lost is not None))

    def __repr__(self) -> str:
        failed = f", {len(self.failures)} failed" if self.failures else ""
        return f"<RecipeResult: {self.computed} jobs run{failed}, {self.cached} already finished, in {self.store}>"
