"""`framelight show`."""

from __future__ import annotations

import argparse
import json

from harness.cli.output import print_text
from harness.utils.console import terminal_size
from harness.utils.errors import InputError


def main(arguments: argparse.Namespace) -> None:
    """Print everything about one run."""
    from harness.leaderboard.run_summary import summarize_run
    from harness.leaderboard.run_summary_text import format_run

    store = arguments.store
    store.require_folder()
    if not store.has_runs:
        raise InputError(f"no runs are tracked in {store}; start with: framelight run quickstart --store {store}")
    summary = summarize_run(store, arguments.run)
    if arguments.format == "json":
        print(json.dumps(summary.as_dict(), indent=1, allow_nan=False))
    else:
        print_text(format_run(summary, terminal_size()[0]))
