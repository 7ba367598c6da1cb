"""Pictures of one scored run: what it confuses, how it follows the truth, what its filter and confidence do."""

from harness.jobs.figures.run_figures import plot_run

__all__ = ["plot_run"]
