"""The leaderboard: records in, ranked rows out, and the rows as text."""

from harness.leaderboard.beside import beside
from harness.leaderboard.causal import causal
from harness.leaderboard.causal_text import render_causal
from harness.leaderboard.cost import cost
from harness.leaderboard.cost_text import render_cost
from harness.leaderboard.optimism import optimism
from harness.leaderboard.optimism_text import render_optimism
from harness.leaderboard.render import render
from harness.leaderboard.rows import rows

__all__ = ["beside", "causal", "cost", "optimism", "render", "render_causal", "render_cost",
           "render_optimism", "rows"]
