"""Result of comparing two runs, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.leaderboard.comparison_text import verdict
from harness.leaderboard.row_types import LeaderboardRow
from harness.metrics.paired_tests import PairedTestResult
from harness.metrics.power import is_underpowered, minimum_detectable_effect


@dataclass(frozen=True)
class MetricComparison:
    """A metric of both runs.

    Attributes
    ----------
    name : str
        The metric.
    first, second : float
        Means over the compared seeds.
    paired : PairedTestResult
        Difference, 95% confidence interval and p-value.
    p_adjusted : float
        The p-value after Holm's correction over the parts shown.
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
class Comparison:
    """Comparison of two runs.

    Attributes
    ----------
    first, second : LeaderboardRow
        The two runs.
    seeds : tuple of (int, int)
        The pairs of seeds that were compared.
    units : int
        Number of videos or subjects.
    metric : MetricComparison
        The task's metric.
    parts : tuple of MetricComparison
        All other metrics.
    for_first, for_second : tuple of InfluentialUnit
        The units with most influence in favor of each run.
    unit_score : str or None
        The score of a single unit that `InfluentialUnit` holds; None for a multi-task run.
    differing : mapping of str to (first, second)
        Settings that differ.
    notes : tuple of str
        Caveats.
    """

    first: LeaderboardRow
    second: LeaderboardRow
    seeds: tuple[tuple[int, int], ...]
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
        """The minimum difference that the test detects with 80% power; None if there are too few units for any."""
        return None if is_underpowered(self.units) else minimum_detectable_effect(self.metric.paired.deviation)

    def __str__(self) -> str:
        from harness.leaderboard.comparison_text import format_comparison

        return format_comparison(self)


def to_json(comparison: Comparison) -> str:
    """Format the comparison as JSON."""
    return json.dumps(
        {
            "task": comparison.first.task,
            "dataset": comparison.first.dataset,
            "split": comparison.first.split,
            "units": comparison.units,
            "unit": comparison.first.unit,
            "metric": comparison.metric.name,
            "seeds": [list(pair) for pair in comparison.seeds],
            "first": _row_to_dict(comparison.first),
            "second": _row_to_dict(comparison.second),
            "differing": {name: list(pair) for name, pair in comparison.differing.items()},
            "difference": _metric_to_dict(comparison.metric),
            "detectable": comparison.detectable,
            "parts": [_metric_to_dict(part) for part in comparison.parts],
            "unit_value": comparison.unit_score,
            "for_first": [vars(unit) for unit in comparison.for_first],
            "for_second": [vars(unit) for unit in comparison.for_second],
            "verdict": verdict(comparison),
            "notes": list(comparison.notes),
        },
        indent=1,
        allow_nan=False,
    )


def _row_to_dict(row: LeaderboardRow) -> dict[str, Any]:
    names = ("run_id", "kind", "protocol", "backbone", "features", "head", "kernel", "radius", "value", "std")
    return {name: getattr(row, name) for name in names} | {"optimistic": row.protocol == "published"}


def _metric_to_dict(part: MetricComparison) -> dict[str, Any]:
    return {
        "name": part.name,
        "first": part.first,
        "second": part.second,
        "difference": part.paired.difference,
        "low": part.paired.low,
        "high": part.paired.high,
        "p": part.paired.p,
        "p_adjusted": part.p_adjusted,
        "undefined": part.undefined,
    }
