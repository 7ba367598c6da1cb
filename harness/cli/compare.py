"""`framelight compare`."""

from __future__ import annotations

import argparse

from harness.cli.output import print_text
from harness.leaderboard.api import compare
from harness.utils.console import terminal_size


def main(arguments: argparse.Namespace) -> None:
    """Print the comparison of two runs."""
    comparison = compare(arguments.first, arguments.second, arguments.store)
    from harness.leaderboard.comparison_json import to_json
    from harness.leaderboard.comparison_text import format_comparison

    if arguments.format == "json":
        print(to_json(comparison))
    else:
        print_text(format_comparison(comparison, terminal_size()[0]))
