"""The leaderboard: records in, ranked rows out, and the rows as text."""

from harness.leaderboard.render import render
from harness.leaderboard.rows import rows

__all__ = ["render", "rows"]
