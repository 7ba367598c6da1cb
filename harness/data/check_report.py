"""The report of `framelight data check` as text for a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from harness.data.check_stills import StillsCounts, StillsReport
from harness.data.label_counts import LabelCounts
from harness.data.problems import DatasetReport, Problem, ProblemReport
from harness.metrics.tasks import AFFECTS
from harness.utils.text import plural, ruled_table

LINE_WIDTH = 100
CELL_WIDTH = 18
TITLES = {
    "expr": "expressions of valid rows",
    "au": "action units present in valid rows",
    "va": "valence and arousal of valid rows",
}


def render_report(report: DatasetReport, limit: int | None) -> str:
    parts = [
        _format_header(report),
        _format_splits(report),
        *_format_distributions(report.counts),
        format_problems(report, limit),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _format_header(report: DatasetReport) -> str:
    unit = report.noun if report.temporal else "block"
    good = f", {report.crops:,} of them whole" if report.crops != report.images else ""
    lines = [
        ("layout", report.layout),
        ("folder", str(report.root)),
        *report.summary,
        ("images", f"{report.images:,} in {plural(report.sequences, unit)}{good}"),
    ]
    lines += [
        ("test", f"{test.task}: {plural(test.sequences, unit)}, {test.cropped:,} with crops") for test in report.tests
    ]
    return format_summary_lines(report.name, lines)


def format_summary_lines(name: str, lines: list[tuple[str, str]]) -> str:
    """The data set's name, and (word, text) lines under it."""
    width = max(len(word) for word, _ in lines)
    return "\n".join([name, *(_hanging_indent(f"  {word:<{width}}  ", text) for word, text in lines)])


def _format_splits(report: DatasetReport) -> str:
    if not report.counts:
        return ""
    rows = "frames" if report.temporal else "images"
    header = ("task", "split", f"{report.noun}s", f"{rows} annotated", "valid", "with a crop", "coverage")
    table = [header]
    for counts in report.counts:
        name = counts.task if counts.task == counts.output else f"{counts.task} {counts.output}"
        table.append(
            (
                name,
                counts.split,
                f"{counts.units:,}",
                f"{counts.rows:,}",
                f"{counts.valid:,}",
                f"{counts.cropped:,}",
                f"{100 * counts.coverage:.1f} %",
            )
        )
    return "\n".join(ruled_table(table, left=2))


def _format_distributions(counts: tuple[LabelCounts, ...]) -> Iterator[str]:
    for output, title in TITLES.items():
        found = [one for one in counts if one.output == output and one.valid]
        if found:
            spreads = [one.spread for one in found]
            rows = affect_rows(spreads) if output == "va" else class_rows(spreads, [one.valid for one in found])
            yield format_distribution(title, [f"{one.task} {one.split}" for one in found], rows)


def format_distribution(title: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> str:
    """A titled table of (name, one cell under each head)."""
    first = max(len(name) for name, _ in rows)
    lines = ["  ".join([" " * first, *(name.rjust(CELL_WIDTH) for name in heads)])]
    lines += ["  ".join([name.ljust(first), *(cell.rjust(CELL_WIDTH) for cell in cells)]) for name, cells in rows]
    return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:]])


def class_rows(spreads: Sequence[Mapping[str, int]], totals: Sequence[int]) -> list[tuple[str, list[str]]]:
    """Count and share of each class, a cell for each spread."""
    return [
        (name, [f"{spread[name]:,} {100 * spread[name] / total:6.1f} %" for spread, total in zip(spreads, totals)])
        for name in spreads[0]
    ]


def affect_rows(spreads: Sequence[Mapping[str, tuple]]) -> list[tuple[str, list[str]]]:
    """Range, mean and deviation of valence and arousal, a cell for each spread."""
    formats: Mapping[str, Callable[[tuple], str]] = {
        "range": lambda v: f"{v[0]:+.3f} to {v[1]:+.3f}",
        "mean, std": lambda v: f"{v[2]:+.3f}, {v[3]:.3f}",
    }
    return [
        (f"{name} {word}", [write(spread[name]) for spread in spreads])
        for name in AFFECTS
        for word, write in formats.items()
    ]


def format_problems(report: ProblemReport, limit: int | None) -> str:
    """How many problems, and each of them; limit: at most that many of one kind."""
    if not report.problems:
        return "no problem found"
    lines = [f"{plural(len(report.errors), 'error')}, {plural(len(report.warnings), 'warning')}"]
    for _, group in groupby(report.problems, key=lambda problem: (problem.severity, problem.kind)):
        same = list(group)
        shown = same if limit is None else same[:limit]
        lines += [_format_problem(problem, report) for problem in shown]
        if len(same) > len(shown):
            lines.append(f"{same[0].severity:<7}  and {len(same) - len(shown):,} more of this kind ({same[0].kind})")
    return "\n".join(lines)


def _format_problem(problem: Problem, report: ProblemReport) -> str:
    whole = problem.file == report.root and problem.line is None
    where = "" if whole else f"{problem.location(report.root)}: "
    start = f"{problem.severity:<7}  "
    if len(start + where + problem.message) <= LINE_WIDTH:
        return start + where + problem.message
    lines = (
        [start + where.rstrip(), _hanging_indent(" " * len(start), problem.message)]
        if where
        else [_hanging_indent(start, problem.message)]
    )
    return "\n".join(lines)


def _hanging_indent(start: str, text: str) -> str:
    return textwrap.fill(
        text,
        LINE_WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def render_stills(report: StillsReport, limit: int | None) -> str:
    parts = [
        _format_stills_header(report),
        _format_stills_splits(report),
        _format_excluded(report),
        *_format_stills_distributions(report.counts),
        format_problems(report, limit),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _format_stills_header(report: StillsReport) -> str:
    images = f"{report.images:,}"
    if report.whole not in (None, report.images):
        images += f", {report.whole:,} of them whole"
    return format_summary_lines(
        report.name, [("layout", report.layout), ("folder", str(report.root)), *report.summary, ("images", images)]
    )


def _format_stills_splits(report: StillsReport) -> str:
    if not report.counts:
        return ""
    rows = [
        (
            one.split,
            f"{one.images:,}",
            "-" if one.subjects is None else f"{one.subjects:,}",
            f"{one.boxed:,}",
            f"{one.expressive:,}",
        )
        for one in report.counts
    ]
    return "\n".join(ruled_table([("split", "images", "subjects", "with a box", "with an expression"), *rows]))


def _format_excluded(report: StillsReport) -> str:
    return "\n".join(
        f"left out of {one.split}: {count:,} {why}" for one in report.counts for why, count in one.left_out.items()
    )


def _format_stills_distributions(counts: tuple[StillsCounts, ...]) -> Iterator[str]:
    expressive = [one for one in counts if one.expressive]
    if expressive:
        rows = class_rows([one.classes for one in expressive], [one.expressive for one in expressive])
        yield format_distribution("expressions", [one.split for one in expressive], rows)
    moved = [one for one in counts if one.affects]
    if moved:
        yield format_distribution(
            "valence and arousal", [one.split for one in moved], affect_rows([one.affects for one in moved])
        )
