"""`framelight compare`."""

from __future__ import annotations

import argparse

from harness.leaderboard.api import compare


def main(arguments: argparse.Namespace) -> None:
    """Print the comparison of two runs."""
    comparison = compare(arguments.first, arguments.second, arguments.store)
    from harness.leaderboard.comparison_json import to_json
    from harness.leaderboard.comparison_text import format_comparison

    print(to_json(comparison) if arguments.format == "json" else format_comparison(comparison))
