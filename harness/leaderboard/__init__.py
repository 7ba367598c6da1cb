"""Records in, ranked rows out. `harness.leaderboard(...)` calls `harness.leaderboard.api.leaderboard`."""

from harness.utils.callable_package import make_callable

make_callable(__name__)
