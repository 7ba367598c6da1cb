"""Result of comparing two runs as text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.leaderboard.columns import format_number
from harness.leaderboard.comparison_result import ComparedRuns, InfluentialUnit, MetricComparison
from harness.leaderboard.ranking import SIGNIFICANCE_LEVEL
from harness.leaderboard.row_types import LeaderboardRow
from harness.leaderboard.table import TITLES
from harness.leaderboard.table_layout import join_phrases, wrap_sentence
from harness.utils.escaping import escape_text, map_text
from harness.utils.text import align_columns, plural

WIDTH = 100

MAX_SETTINGS_SHOWN = 6
"""Maximum number of differing settings shown in the text; the JSON contains all of them."""


def format_comparison(comparison: ComparedRuns, width: int = WIDTH) -> str:
    """Format the comparison as text, with the verdict and the notes at the end.

    Parameters
    ----------
    comparison : ComparedRuns
        The comparison.
    width : int, default=100
        Characters to which lines of text are wrapped; tables are not wrapped.

    Returns
    -------
    str
        The text, without a newline at its end.
    """
    comparison = map_text(comparison, escape_text)
    runs = [_format_run("A", comparison.first), _format_run("B", comparison.second)]
    parts = [
        join_phrases(_title_phrases(comparison), width),
        _wrap_lines([*runs, *_format_differing_settings(comparison)], width),
        _format_table(comparison, width),
        _format_influential_units(comparison, width),
        _wrap_lines(verdict(comparison).splitlines(), width),
    ]
    if comparison.notes:
        parts.append(_wrap_lines([f"note: {note}" for note in comparison.notes], width))
    return "\n\n".join(parts)


def _wrap_lines(lines: Sequence[str], width: int) -> str:
    return "\n".join(line if len(line) <= width else wrap_sentence(line, width) for line in lines)


def verdict(comparison: ComparedRuns) -> str:
    """State whether one run is significantly better.

    If one is, the text gives the difference with its interval and p-value; if not, the p-value and the minimum
    detectable difference.
    """
    test, name = comparison.metric.paired, comparison.metric.name
    if test.p <= SIGNIFICANCE_LEVEL:
        better, worse = ("A", "B") if test.difference > 0 else ("B", "A")
        return (
            f"{better} is better than {worse} by {abs(test.difference):.3f} {name} "
            f"(95% CI of A - B {_format_interval(comparison.metric)}, p = {_format_p_value(test.p)})."
        )
    units = plural(comparison.units, comparison.first.unit, "d")
    power = (
        f"The minimum detectable difference with {units} is {comparison.detectable:.3f} (80% power)."
        if comparison.detectable is not None
        else f"With {units} no difference can be significant."
    )
    return f"No significant difference in {name} (p = {_format_p_value(test.p)}). {power}"


def _title_phrases(comparison: ComparedRuns) -> list[str]:
    row, equal = comparison.first, all(first == second for first, second in comparison.seeds)
    pairs = [str(first) if equal else f"{first} vs. {second}" for first, second in comparison.seeds]
    seeds = f"seed{'s' if len(pairs) > 1 else ''} {', '.join(pairs)}"
    units = plural(comparison.units, row.unit, "d")
    trainings = [f"{comparison.trainings} trainings of the backbone"] if comparison.trainings > 1 else []
    title = f"{TITLES.get(row.task, row.task)} on {row.dataset}"
    return [title, f"{row.split} split", units, *trainings, seeds]


def _format_run(name: str, row: LeaderboardRow) -> str:
    smoothing = "no smoothing" if not row.radius else f"{row.kernel} radius {row.radius:g}"
    words = [row.backbone or "no backbone", row.features, row.head, smoothing, row.protocol]
    return f"{name}  {row.run_id}  {', '.join(words)}"


def _format_differing_settings(comparison: ComparedRuns) -> list[str]:
    settings = [
        f"{name} {_format_value(first)} / {_format_value(second)}"
        for name, (first, second) in comparison.differing.items()
    ]
    if not settings:
        return []
    hidden = len(settings) - MAX_SETTINGS_SHOWN
    shown = [*settings[:MAX_SETTINGS_SHOWN], *([f"{hidden} more"] if hidden > 0 else [])]
    return [f"A / B differ in: {'; '.join(shown)}"]


def _format_value(value: Any) -> str:
    return "-" if value in (None, "") else f"{value:g}" if isinstance(value, float) else str(value)


def _format_table(comparison: ComparedRuns, width: int) -> str:
    lines = [["", "A", "B", "A - B", "95% CI", "p-value", ""]]
    for part in (comparison.metric, *comparison.parts):
        is_significant_part = part is not comparison.metric and part.p_adjusted <= SIGNIFICANCE_LEVEL
        marks = ("*" if is_significant_part else "") + ("u" if part.undefined else "")
        lines.append(
            [
                part.name,
                format_number(part.first),
                format_number(part.second),
                f"{part.paired.difference:+z.3f}",
                _format_interval(part),
                _format_p_value(part.paired.p),
                marks,
            ]
        )
    legend = [
        f"p-value: paired permutation test over {comparison.first.unit}s, of these two runs alone; "
        "a board corrects it for the number of rows"
    ]
    if _has_mark(lines, "*"):
        legend.append(f"* significant after Holm correction over the parts shown (alpha {SIGNIFICANCE_LEVEL:g})")
    if _has_mark(lines, "u"):
        legend.append("u: undefined in some seed, counted as 0")
    table = align_columns(lines)
    if max(map(len, table)) > width:
        table = align_columns([_tighten(cells) for cells in lines], left={0, 5})
    return "\n".join([*table, join_phrases(legend, width)])


def _tighten(cells: Sequence[str]) -> list[str]:
    """Shorten a row for narrow terminals: marks directly behind the p-value, no spaces in intervals."""
    *others, interval, p, marks = cells
    return [*others, interval.replace(", ", ","), f"{p:6}{marks}".replace("-value", "")]


def _has_mark(lines: Sequence[Sequence[str]], mark: str) -> bool:
    return any(mark in line[-1] for line in lines)


def _format_influential_units(comparison: ComparedRuns, width: int) -> str:
    """Format the units with most influence in favor of each run, with the scores of both runs on each of them."""
    noun, unit_score = comparison.first.unit, (comparison.unit_score or "").split(",")[0]
    parts = []
    for name, units in (("A", comparison.for_first), ("B", comparison.for_second)):
        if units:
            lines = [
                ["", "effect on", *([unit_score, unit_score] if unit_score else [])],
                [f"{noun}s most in favor of {name}", comparison.metric.name, *(["A", "B"] if unit_score else [])],
                *(_format_unit(unit, bool(unit_score)) for unit in units),
            ]
            parts.append("\n".join(align_columns(lines)))
    if not parts:
        return f"no {noun} has an effect on the difference"
    legend = [f"effect: A - B with the {noun} minus A - B without it"]
    legend += [f"{comparison.unit_score}: score on the {noun} alone"] if unit_score else []
    return "\n\n".join(parts) + "\n" + join_phrases(legend, width)


def _format_unit(unit: InfluentialUnit, with_scores: bool) -> list[str]:
    scores = map(format_number, (unit.first, unit.second) if with_scores else ())
    return [f"  {unit.unit}", f"{unit.influence:+z.4f}", *scores]


def _format_interval(part: MetricComparison) -> str:
    test = part.paired
    return "-" if test.low is None or test.high is None else f"[{test.low:+z.3f}, {test.high:+z.3f}]"


def _format_p_value(p: float) -> str:
    is_close = abs(p - SIGNIFICANCE_LEVEL) < 0.0005
    return f"{p:.4f}" if p < 0.001 or is_close else f"{p:.3f}"
