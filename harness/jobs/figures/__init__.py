"""Figures of one run: confusion matrix, F1, concordance, traces, smoothing curve and reliability."""

from harness.jobs.figures.run_figures import plot_run

__all__ = ["plot_run"]
