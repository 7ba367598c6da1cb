"""The leaderboard: records in, ranked rows out, and the rows as text."""

from harness.leaderboard.beside import beside
from harness.leaderboard.optimism import optimism
from harness.leaderboard.optimism_text import render_optimism
from harness.leaderboard.render import render
from harness.leaderboard.rows import rows

__all__ = ["beside", "optimism", "render", "render_optimism", "rows"]
