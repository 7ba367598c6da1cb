"""`framelight bench`."""

from __future__ import annotations

import argparse

from harness.cli.saying import say

COLUMNS = ("part", "what", "figure", "limit", "", "beside", "its figure", "ratio")


def main(arguments: argparse.Namespace) -> int:
    from harness.bench import measurements

    figures = list(measurements(arguments.name, say))
    lines = [COLUMNS]
    for f in figures:
        lines.append((f.name, f.what, f"{f.value:.3g} {f.unit}", f"{f.limit:g} {f.unit}",
                      "reached" if f.reached else "MISSED", f.rival, f"{f.rival_value:.3g} {f.unit}",
                      f"{f.ratio:.3g}x"))
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(text.ljust(width) for text, width in zip(line, widths)).rstrip())
    return 0 if all(f.reached for f in figures) else 1
