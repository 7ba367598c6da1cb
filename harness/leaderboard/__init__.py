"""Ranked leaderboards from the records of runs.

The package is callable: `harness.leaderboard(...)` calls `harness.leaderboard.api.leaderboard`.
"""

from harness.utils.callable_package import make_callable

make_callable(__name__)
