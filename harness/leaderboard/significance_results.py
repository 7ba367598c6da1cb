"""Confidence intervals, paired differences, and comparisons with the best row of a board, as dataclasses."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ScoreInterval:
    """Interval of a configuration's score.

    Attributes
    ----------
    low, high : float
        95% confidence interval.
    corrected : float
        The score corrected for bias.
    few_units : dict of str to float
        Effective number of units with labels of each class that has few; see `harness.metrics.effective_units`.
    """

    low: float
    high: float
    corrected: float
    few_units: dict[str, float]


@dataclass(frozen=True)
class PairedDifference:
    """Paired difference of two configurations, first minus second.

    Attributes
    ----------
    value : float
        The difference of the mean scores.
    low, high : float or None
        95% confidence interval; None if there is only one unit.
    p : float or None
        Two-sided p-value, not adjusted.
    detectable : float or None
        Minimum difference that the test detects with 80% power; None if there are too few units to detect any.
    seeds : tuple of int
        The seeds that both configurations have.
    """

    value: float
    low: float | None
    high: float | None
    p: float | None
    detectable: float | None
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class BoardComparison:
    """Comparison of the rows of a board with the best of them, in the order given.

    Attributes
    ----------
    p : tuple of float
        p-value of each row, adjusted for the choice of the best and for the number of rows.
    detectable : tuple of (float or None)
        Minimum difference between the best and each row that the test detects with 80% power; None for the best, or if
        there are too few units to detect any.
    luck : float
        Expected lead of the best run over the mean of all runs, without baselines, if all were equally good; 0 for
        fewer than two runs.
    """

    p: tuple[float, ...]
    detectable: tuple[float | None, ...]
    luck: float
