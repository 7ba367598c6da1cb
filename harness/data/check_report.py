"""Text of the report of `framelight data check`, for a terminal of 100 columns."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from harness.data.check_stills import StillsCounts, StillsReport
from harness.data.dataset_report import DatasetReport
from harness.data.label_counts import LabelCounts
from harness.data.problems import Problem, ProblemReport
from harness.metrics.tasks import AFFECTS
from harness.utils.escaping import escape_text
from harness.utils.text import plural, ruled_table

LINE_WIDTH = 100
CELL_WIDTH = 18
TITLES = {
    "expr": "expressions of valid rows",
    "au": "action units present in valid rows",
    "va": "valence and arousal of valid rows",
}


def render_report(report: DatasetReport, limit: int | None) -> str:
    """Format the report on a dataset; `limit` is the maximum number of problems of one kind."""
    parts = [
        _format_header(report),
        _format_splits(report),
        *_format_distributions(report.counts),
        format_problems(report, limit),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _format_header(report: DatasetReport) -> str:
    unit = report.noun if report.temporal else "block"
    readable = f", {report.crops:,} of them readable" if report.crops != report.images else ""
    lines = [
        ("layout", report.layout),
        ("folder", str(report.root)),
        *report.summary,
        ("images", f"{report.images:,} in {plural(report.sequences, unit)}{readable}{_format_turned(report.turned)}"),
    ]
    lines += [
        ("test", f"{test.task}: {plural(test.sequences, unit)}, {test.cropped:,} with crops") for test in report.tests
    ]
    return format_summary_lines(report.name, lines)


def _format_turned(count: int) -> str:
    return f"; {count:,} are turned upright by their EXIF orientation" if count else ""


def format_summary_lines(name: str, lines: list[tuple[str, str]]) -> str:
    """Format the name of the dataset and the (label, text) lines of its summary."""
    width = max(len(label) for label, _ in lines)
    return "\n".join([escape_text(name), *(_hanging_indent(f"  {label:<{width}}  ", text) for label, text in lines)])


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
                f"{100 * counts.coverage:.1f}%",
            )
        )
    return "\n".join(ruled_table(table, left=2))


def _format_distributions(counts: tuple[LabelCounts, ...]) -> Iterator[str]:
    for output, title in TITLES.items():
        selected = [split for split in counts if split.output == output and split.valid]
        if selected:
            spreads = [split.spread for split in selected]
            rows = affect_rows(spreads) if output == "va" else class_rows(spreads, [split.valid for split in selected])
            yield format_distribution(title, [f"{split.task} {split.split}" for split in selected], rows)


def format_distribution(title: str, heads: list[str], rows: list[tuple[str, list[str]]]) -> str:
    """Format a table with a title, column heads, and rows of (name, cells)."""
    first = max(len(name) for name, _ in rows)
    lines = ["  ".join([" " * first, *(name.rjust(CELL_WIDTH) for name in heads)])]
    lines += ["  ".join([name.ljust(first), *(cell.rjust(CELL_WIDTH) for cell in cells)]) for name, cells in rows]
    return "\n".join([title, lines[0], "-" * len(lines[0]), *lines[1:]])


def class_rows(spreads: Sequence[Mapping[str, int]], totals: Sequence[int]) -> list[tuple[str, list[str]]]:
    """Return table rows with the count and share of each class, one cell for each split."""
    return [
        (name, [f"{spread[name]:,} {100 * spread[name] / total:6.1f}%" for spread, total in zip(spreads, totals)])
        for name in spreads[0]
    ]


def affect_rows(spreads: Sequence[Mapping[str, tuple[float, ...]]]) -> list[tuple[str, list[str]]]:
    """Return table rows with range, mean and standard deviation of valence and arousal, one cell for each split."""
    formats: Mapping[str, Callable[[tuple[float, ...]], str]] = {
        "range": lambda v: f"{v[0]:+z.3f} to {v[1]:+z.3f}",
        "mean, std": lambda v: f"{v[2]:+z.3f}, {v[3]:.3f}",
    }
    return [
        (f"{name} {statistic}", [format_cell(spread[name]) for spread in spreads])
        for name in AFFECTS
        for statistic, format_cell in formats.items()
    ]


def format_problems(report: ProblemReport, limit: int | None) -> str:
    """Format the number of problems and the problems.

    Parameters
    ----------
    report : ProblemReport
    limit : int or None
        Maximum number of problems of one kind to write out. With a limit, problems with the same message in the same
        file are written once, with their number of lines.
    """
    if not report.problems:
        return "no problems found"
    lines: list[str] = []
    complete = True
    for _, group in groupby(report.problems, key=lambda problem: (problem.severity, problem.kind)):
        problems = list(group)
        shown = _first_of_each_message(problems, limit)
        lines += [_format_problem(problem, report, note) for problem, note in shown]
        if hidden := len(problems) - len(shown):
            complete = False
            lines.append(f"{problems[0].severity:<7}  and {hidden:,} more of this kind ({problems[0].kind})")
    counts = f"{plural(len(report.errors), 'error')}, {plural(len(report.warnings), 'warning')}"
    return "\n".join([counts if complete else f"{counts}; --all lists all of them", *lines])


def _first_of_each_message(problems: list[Problem], limit: int | None) -> list[tuple[Problem, str]]:
    """Return the problems to write out, with a note on others that have the same message."""
    if limit is None:
        return [(problem, "") for problem in problems]
    by_message: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        by_message.setdefault((problem.file, problem.message), []).append(problem)
    groups = list(by_message.values())[:limit]
    return [(same[0], f" ({len(same):,} lines)" if len(same) > 1 else "") for same in groups]


def _format_problem(problem: Problem, report: ProblemReport, note: str) -> str:
    concerns_root = problem.file == report.root and problem.line is None
    where = "" if concerns_root else f"{escape_text(problem.location(report.root))}: "
    start, message = f"{problem.severity:<7}  ", escape_text(problem.message) + note
    if len(start + where + message) <= LINE_WIDTH:
        return start + where + message
    lines = (
        [start + where.rstrip(), _hanging_indent(" " * len(start), message)]
        if where
        else [_hanging_indent(start, message)]
    )
    return "\n".join(lines)


def _hanging_indent(start: str, text: str) -> str:
    return textwrap.fill(
        escape_text(text),
        LINE_WIDTH,
        initial_indent=start,
        subsequent_indent=" " * len(start),
        break_long_words=False,
        break_on_hyphens=False,
    )


def render_stills(report: StillsReport, limit: int | None) -> str:
    """Format the report on still images; `limit` is the maximum number of problems of one kind."""
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
        images += f", {report.whole:,} of them readable"
    images += _format_turned(report.turned)
    return format_summary_lines(
        report.name, [("layout", report.layout), ("folder", str(report.root)), *report.summary, ("images", images)]
    )


def _format_stills_splits(report: StillsReport) -> str:
    if not report.counts:
        return ""
    rows = [
        (
            counts.split,
            f"{counts.images:,}",
            "-" if counts.subjects is None else f"{counts.subjects:,}",
            f"{counts.boxed:,}",
            f"{counts.expressive:,}",
        )
        for counts in report.counts
    ]
    return "\n".join(ruled_table([("split", "images", "subjects", "with a box", "with an expression"), *rows]))


def _format_excluded(report: StillsReport) -> str:
    return "\n".join(
        f"excluded from {counts.split}: {count:,} {reason}"
        for counts in report.counts
        for reason, count in counts.left_out.items()
    )


def _format_stills_distributions(counts: tuple[StillsCounts, ...]) -> Iterator[str]:
    with_expressions = [split for split in counts if split.expressive]
    if with_expressions:
        rows = class_rows([split.classes for split in with_expressions], [s.expressive for s in with_expressions])
        yield format_distribution("expressions", [split.split for split in with_expressions], rows)
    with_affects = [split for split in counts if split.affects]
    if with_affects:
        rows = affect_rows([split.affects for split in with_affects])
        yield format_distribution("valence and arousal", [split.split for split in with_affects], rows)
