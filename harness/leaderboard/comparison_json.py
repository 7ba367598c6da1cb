"""Result of comparing two runs as JSON."""

from __future__ import annotations

import json
from typing import Any

from harness.leaderboard.comparison_result import ComparedRuns, MetricComparison
from harness.leaderboard.comparison_text import verdict
from harness.leaderboard.row_types import LeaderboardRow


def to_json(comparison: ComparedRuns) -> str:
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
            "trainings": comparison.trainings,
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
