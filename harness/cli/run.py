"""`framelight run`."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterable

from harness.cli.output import print_text
from harness.leaderboard.api import run
from harness.leaderboard.boards import board_rows, format_leaderboard, list_best_figures
from harness.tracking import tracked_records
from harness.tracking.records import Record
from harness.utils.escaping import escape_text
from harness.utils.text import format_duration

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> int:
    """Run a recipe and print its leaderboards."""
    start = time.monotonic()
    result = run(
        arguments.recipe,
        arguments.data,
        arguments.store,
        settings=arguments.settings,
        jobs=arguments.jobs,
        force=arguments.force,
    )
    outcome, store = result.run_result, result.store
    records = (
        []
        if outcome.lost
        else [record for record in tracked_records(store) if (record.task, record.data_digest) in outcome.boards]
    )
    print_text(
        format_leaderboard(
            board_rows(
                store.untracked if outcome.lost else store,
                boards=outcome.boards,
                from_store=outcome.lost is not None,
                published=_is_comparable_to_published(records),
            )
        )
    )
    logger.info(
        f"{outcome.computed} jobs run, {outcome.cached} already finished, in "
        f"{format_duration(time.monotonic() - start)}; results in {store}"
    )
    if outcome.lost:
        logger.warning(outcome.lost)
    if figures := list_best_figures(store, records):
        logger.info("\n".join(["figures of the best run of each leaderboard:", *map(escape_text, figures)]))
    for record in outcome.failures:
        logger.info(
            f"failed: {record.job_id} ({record.task}, {record.backbone}, {record.features}, {record.head}): "
            f"{record.error}"
        )
    return 1 if outcome.failures or outcome.lost else 0


def _is_comparable_to_published(records: Iterable[Record]) -> bool:
    """Return whether any record has the protocol and the number of annotated rows of published results."""
    from harness.leaderboard.published import ANNOTATED_ROWS

    return any(
        record.protocol == "published" and record.annotated == ANNOTATED_ROWS.get(record.task) for record in records
    )
