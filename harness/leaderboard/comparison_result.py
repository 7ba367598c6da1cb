"""Result of comparing two runs, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any

from harness.leaderboard.ranking import SIGNIFICANCE_LEVEL
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.table import TITLES
from harness.metrics.paired_tests import PairedTestResult, is_underpowered, minimum_detectable_effect
from harness.utils.text import align_columns, plural

WIDTH = 100
MAX_SETTINGS_SHOWN = 6
"""Differing settings named; JSON has all."""


@dataclass(frozen=True)
class MetricComparison:
    """A metric of both runs; values are means over the compared seeds. p_adjusted: by Holm, over the parts shown.

    undefined: whether it is undefined, and counts as 0, in some seed of either run.
    """

    name: str
    first: float
    second: float
    paired: PairedTestResult
    p_adjusted: float
    undefined: bool


@dataclass(frozen=True)
class InfluentialUnit:
    """A unit and how much it moves the difference; first, second: its own values, None where undefined."""

    unit: str
    influence: float
    first: float | None
    second: float | None


@dataclass(frozen=True)
class Comparison:
    """first, second: leaderboard rows; seeds: pairs of those compared; metric: the task's, parts: all others.

    for_first, for_second: the units that speak most for each, most first; own: what `InfluentialUnit` values are.
    differing: settings that differ, {name: (first, second)}; notes: what a reader must know.
    """

    first: LeaderboardRow
    second: LeaderboardRow
    seeds: tuple[tuple[int, int], ...]
    units: int
    metric: MetricComparison
    parts: tuple[MetricComparison, ...]
    for_first: tuple[InfluentialUnit, ...]
    for_second: tuple[InfluentialUnit, ...]
    own: str | None
    differing: Mapping[str, tuple[Any, Any]]
    notes: tuple[str, ...]

    @property
    def detectable(self) -> float | None:
        """The smallest difference that the test finds with 80 % power; None where units are too few for any."""
        return None if is_underpowered(self.units) else minimum_detectable_effect(self.metric.paired.deviation)

    def __str__(self) -> str:
        return format_comparison(self)


def format_comparison(found: Comparison) -> str:
    """The comparison in lines of at most about 100 characters, the verdict last but for the notes."""
    parts = [
        _format_title(found),
        "\n".join([_format_run("A", found.first), _format_run("B", found.second), *_format_differing_settings(found)]),
        _format_table(found),
        _format_influential_units(found),
        verdict(found),
    ]
    if found.notes:
        parts.append("\n".join(f"note: {note}" for note in found.notes))
    return "\n\n".join(parts)


def verdict(found: Comparison) -> str:
    """Which run is better and how sure that is, or that no difference is shown; whether test and interval agree."""
    one, name = found.metric.paired, found.metric.name
    if one.p <= SIGNIFICANCE_LEVEL:
        better, worse = ("A", "B") if one.difference > 0 else ("B", "A")
        said = (
            f"{better} is better than {worse} by {abs(one.difference):.3f} {name} "
            f"(95 % interval of A - B {_format_interval(found.metric)}, p = {_format_p_value(one.p)})."
        )
        if one.low is not None and one.high is not None and one.low <= 0 <= one.high:
            said += "\nThe interval holds 0 though the test does not expect it: take the difference as unsettled."
        return said
    units = plural(found.units, found.first.unit, "d")
    able = (
        f"{units} would show one of {found.detectable:.3f} with 80 % power"
        if found.detectable is not None
        else f"{units} cannot show any"
    )
    return f"No difference in {name} is shown (p = {_format_p_value(one.p)}); {able}."


def to_json(found: Comparison) -> str:
    return json.dumps(
        {
            "task": found.first.task,
            "dataset": found.first.dataset,
            "split": found.first.split,
            "units": found.units,
            "unit": found.first.unit,
            "metric": found.metric.name,
            "seeds": [list(pair) for pair in found.seeds],
            "first": _row_to_dict(found.first),
            "second": _row_to_dict(found.second),
            "differing": {name: list(pair) for name, pair in found.differing.items()},
            "difference": _metric_to_dict(found.metric),
            "detectable": found.detectable,
            "parts": [_metric_to_dict(part) for part in found.parts],
            "unit_value": found.own,
            "for_first": [vars(one) for one in found.for_first],
            "for_second": [vars(one) for one in found.for_second],
            "verdict": verdict(found),
            "notes": list(found.notes),
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


def _format_title(found: Comparison) -> str:
    row, same = found.first, all(one == other for one, other in found.seeds)
    pairs = [str(one) if same else f"{one} beside {other}" for one, other in found.seeds]
    seeds = f"seed{'s' if len(pairs) > 1 else ''} {', '.join(pairs)}"
    return f"{TITLES[row.task]} on {row.dataset}; {row.split} split; {plural(found.units, row.unit, 'd')}; {seeds}"


def _format_run(name: str, row: LeaderboardRow) -> str:
    smoothing = "no smoothing" if not row.radius else f"{row.kernel} radius {row.radius:g}"
    words = [row.backbone or "no backbone", row.features, row.head, smoothing, row.protocol]
    return f"{name}  {row.run_id}  {', '.join(words)}"


def _format_differing_settings(found: Comparison) -> list[str]:
    told = [f"{name} {_format_value(one)} / {_format_value(other)}" for name, (one, other) in found.differing.items()]
    if not told:
        return []
    more = f" and {len(told) - MAX_SETTINGS_SHOWN} more" if len(told) > MAX_SETTINGS_SHOWN else ""
    line = f"A / B differ in: {'; '.join(told[:MAX_SETTINGS_SHOWN])}{more}"
    return wrap(line, WIDTH, subsequent_indent="   ", break_long_words=False)


def _format_value(value: Any) -> str:
    return "-" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _format_table(found: Comparison) -> str:
    lines = [["", "A", "B", "A - B", "95 % interval", "p", ""]]
    for part in (found.metric, *found.parts):
        sure = "*" if part is not found.metric and part.p_adjusted <= SIGNIFICANCE_LEVEL else ""
        lines.append(
            [
                part.name,
                f"{part.first:.3f}",
                f"{part.second:.3f}",
                f"{part.paired.difference:+.3f}",
                _format_interval(part),
                _format_p_value(part.paired.p),
                sure + ("u" if part.undefined else ""),
            ]
        )
    legend = ["* p of at most 0.05 also after Holm's correction for the parts shown"] if _has_mark(lines, "*") else []
    legend += ["u undefined, counted as 0, in some seed"] if _has_mark(lines, "u") else []
    return "\n".join([*align_columns(lines), *legend])


def _has_mark(lines: Sequence[Sequence[str]], mark: str) -> bool:
    return any(mark in line[-1] for line in lines)


def _format_influential_units(found: Comparison) -> str:
    """The units that speak most for each run, with what each run scores on them alone."""
    noun, heads = found.first.unit, ["moves A - B by"] + ([f"{found.own}: A", "B"] if found.own else [])
    parts = []
    for name, units in (("A", found.for_first), ("B", found.for_second)):
        if units:
            lines = [
                [f"{noun}s that speak most for {name}", *heads],
                *(_format_unit(one, bool(found.own)) for one in units),
            ]
            parts.append("\n".join(align_columns(lines)))
    return "\n\n".join(parts) or f"no {noun} moves the difference"


def _format_unit(one: InfluentialUnit, own: bool) -> list[str]:
    values = ["-" if value is None else f"{value:.3f}" for value in (one.first, one.second)]
    return [f"  {one.unit}", f"{one.influence:+.4f}", *(values if own else [])]


def _format_interval(part: MetricComparison) -> str:
    one = part.paired
    return "-" if one.low is None or one.high is None else f"[{one.low:+.3f}, {one.high:+.3f}]"


def _format_p_value(p: float) -> str:
    return f"{p:.4f}" if p < 0.001 else f"{p:.3f}"
