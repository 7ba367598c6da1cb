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
        For each class whose labels come from few units (videos or subjects): the effective number of these units; see
        `harness.metrics.effective_units`.
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
    """Comparison of the rows of a board with the best row; results are in the order of the rows.

    Attributes
    ----------
    p : tuple of float
        P-value of each row, adjusted for the number of rows and for the fact that the best row is chosen from the same
        scores.
    detectable : tuple of (float or None)
        For each row: the minimum difference to the best row that the test detects with 80% power. None for the best
        row, and for all rows if there are too few units to detect any.
    luck : float
        Expected lead of the best run over the mean of all runs if all were equally good. Baselines are left out. 0 for
        fewer than two runs.
    """

    p: tuple[float, ...]
    detectable: tuple[float | None, ...]
    luck: float
