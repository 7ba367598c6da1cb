"""`framelight compare`."""

from __future__ import annotations

import argparse

from harness.leaderboard.runs import pair
from harness.leaderboard.significance import SignificanceCache
from harness.tracking import remote_job_files, tracked_records
from harness.utils.errors import InputError


def main(arguments: argparse.Namespace) -> None:
    store = arguments.store
    if not store.has_runs:
        raise InputError(f"nothing was tracked in {store}; name the store of the runs with --store, "
                         "or start with: framelight run quickstart")
    records = tracked_records(store)
    first, second = pair(records, arguments.first, arguments.second)
    from harness.leaderboard.comparison import compare
    from harness.leaderboard.comparison_text import text, to_json

    kept = SignificanceCache(store, remote_job_files(store))
    found = compare(first, second, kept.statistics)
    print(to_json(found) if arguments.format == "json" else text(found))
