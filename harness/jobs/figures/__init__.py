"""Pictures of one scored run: what it confuses, how it follows the truth, what its filter and confidence do."""

from harness.jobs.figures.run_figures import FOLDER, plot_run

__all__ = ["FOLDER", "plot_run"]
