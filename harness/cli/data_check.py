"""`framelight data check`."""

from __future__ import annotations

import argparse


def main(arguments: argparse.Namespace) -> int:
    from harness.data.check import check, render

    report = check(arguments.folder)
    print(render(report))
    return 2 if report.errors else 0
