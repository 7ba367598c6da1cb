"""Result of comparing two runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.row_types import LeaderboardRow
from harness.metrics.paired_tests import PairedTestResult


@dataclass(frozen=True)
class MetricComparison:
    """Comparison of two runs in one metric.

    Attributes
    ----------
    name : str
        The metric.
    first, second : float
        Mean score of each run over the compared seeds.
    paired : PairedTestResult
        Difference, 95% confidence interval and p-value.
    p_adjusted : float
        P-value with Holm's correction over all metrics except the task's metric. For the task's metric, the p-value is
        not corrected.
    undefined : bool
        Whether the metric is undefined, and counts as 0, in some seed of either run.
    """

    name: str
    first: float
    second: float
    paired: PairedTestResult
    p_adjusted: float
    undefined: bool


@dataclass(frozen=True)
class InfluentialUnit:
    """A unit and its influence on the difference.

    Attributes
    ----------
    unit : str
        Name of the video or subject.
    influence : float
        Jackknife influence on the difference; positive in favor of the first run.
    first, second : float or None
        Score of each run on this unit alone; None if undefined.
    """

    unit: str
    influence: float
    first: float | None
    second: float | None


@dataclass(frozen=True)
class ComparedRuns:
    """Comparison of two runs, as data.

    Attributes
    ----------
    first, second : LeaderboardRow
        The two runs.
    seeds : tuple of (int, int)
        The pairs of seeds that were compared.
    trainings : int
        Number of trainings of the backbones that were compared, each with these seeds.
    units : int
        Number of videos or subjects.
    metric : MetricComparison
        The task's metric.
    parts : tuple of MetricComparison
        All other metrics.
    for_first, for_second : tuple of InfluentialUnit
        The units with most influence in favor of each run.
    unit_score : str or None
        Name of the scores of single units in `InfluentialUnit`; None for a multi-task run.
    differing : mapping of str to (first, second)
        Settings that differ.
    notes : tuple of str
        Caveats.
    """

    first: LeaderboardRow
    second: LeaderboardRow
    seeds: tuple[tuple[int, int], ...]
    trainings: int
    units: int
    metric: MetricComparison
    parts: tuple[MetricComparison, ...]
    for_first: tuple[InfluentialUnit, ...]
    for_second: tuple[InfluentialUnit, ...]
    unit_score: str | None
    differing: Mapping[str, tuple[Any, Any]]
    notes: tuple[str, ...]

    @property
    def detectable(self) -> float | None:
        """The minimum difference that the test detects with 80% power; None if the units are too few to detect any."""
        return self.metric.paired.detectable
