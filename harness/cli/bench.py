"""`framelight bench`."""

from __future__ import annotations

import argparse

from harness.cli.saying import say

COLUMNS = ("part", "what", "figure", "floor", "held against", "its figure", "ratio", "at least", "")


def main(arguments: argparse.Namespace) -> int:
    from harness.bench import measurements

    figures = list(measurements(arguments.name, say))
    lines = [COLUMNS]
    for f in figures:
        lines.append((f.part, f.what, f"{f.value:.3g} {f.unit}", _given(f.floor, f.unit), f.rival,
                      _given(f.rival_value, f.unit), _given(f.ratio, "x"),
                      _given(f.least, "x") if f.limit is None else f"<= {f.limit:g} {f.unit}",
                      "reached" if f.reached else "MISSED"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    for f in figures:
        if f.note:
            print(f"{f.part}: {f.note}")
    return 0 if all(f.reached for f in figures) else 1


def _given(value: float | None, unit: str) -> str:
    return "-" if value is None else f"{value:.3g} {unit}"
