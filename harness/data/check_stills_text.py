"""The report on a folder of stills as text for a terminal of 100 columns."""

from __future__ import annotations

from collections.abc import Iterator

from harness.data.check_stills import StillsCounts, StillsReport
from harness.data.check_text import affect_rows, aligned, class_rows, head, problem_text, spread_text


def render_stills(report: StillsReport, limit: int | None) -> str:
    parts = [_head(report), _splits(report), _left_out(report), *_spreads(report.counts), problem_text(report, limit)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(report: StillsReport) -> str:
    images = f"{report.images:,}"
    if report.whole not in (None, report.images):
        images += f", {report.whole:,} of them whole"
    return head(report.name, [("layout", report.layout), ("folder", str(report.root)), *report.contents,
                              ("images", images)])


def _splits(report: StillsReport) -> str:
    if not report.counts:
        return ""
    rows = [(one.split, f"{one.images:,}", "-" if one.subjects is None else f"{one.subjects:,}", f"{one.boxed:,}",
             f"{one.expressive:,}") for one in report.counts]
    return aligned([("split", "images", "subjects", "with a box", "with an expression"), *rows], words=1)


def _left_out(report: StillsReport) -> str:
    return "\n".join(f"left out of {one.split}: {count:,} {why}" for one in report.counts
                     for why, count in one.left_out.items())


def _spreads(counts: tuple[StillsCounts, ...]) -> Iterator[str]:
    expressive = [one for one in counts if one.expressive]
    if expressive:
        rows = class_rows([one.classes for one in expressive], [one.expressive for one in expressive])
        yield spread_text("expressions", [one.split for one in expressive], rows)
    moved = [one for one in counts if one.affects]
    if moved:
        yield spread_text("valence and arousal", [one.split for one in moved],
                          affect_rows([one.affects for one in moved]))
