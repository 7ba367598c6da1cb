"""`framelight run`."""

from __future__ import annotations

import argparse
import logging
import time
from collections.abc import Iterable

from harness.leaderboard.boards import best_pictures, show
from harness.runner import apply_settings, find_recipe
from harness.tracking import tracked_records
from harness.tracking.records import Record
from harness.utils.errors import InputError

logger = logging.getLogger(__name__)


def main(arguments: argparse.Namespace) -> int:
    recipe = apply_settings(find_recipe(arguments.recipe), arguments.settings)
    if arguments.store.exists() and not arguments.store.is_dir():
        raise InputError(f"--store {arguments.store} is a file; a store is a folder")
    from harness.runner.run import run

    began = time.monotonic()
    outcome = run(recipe, arguments.data, arguments.store, arguments.tracking_uri, arguments.jobs, arguments.force)
    found = [] if outcome.lost else [record for record in tracked_records(arguments.store, arguments.tracking_uri)
                                     if (record.task, record.data_digest) in outcome.boards]
    print(show(arguments.store, None if outcome.lost else arguments.tracking_uri, boards=outcome.boards,
               from_store=outcome.lost is not None, published=_comparable_to_published(found)))
    logger.info(f"{outcome.computed} jobs run, {outcome.kept} already finished, in {time.monotonic() - began:.0f} s; "
                f"results in {arguments.store}")
    if outcome.lost:
        logger.warning(outcome.lost)
    if pictures := best_pictures(arguments.store, found):
        logger.info("\n".join(["pictures of the best run of each board:", *pictures]))
    for record in outcome.failures:
        logger.info(f"failed: {record.job_id} ({record.task}, {record.backbone}, {record.features}, {record.head}): "
                    f"{record.error}")
    return 1 if outcome.failures or outcome.lost else 0


def _comparable_to_published(found: Iterable[Record]) -> bool:
    """Whether a board is of the data and the protocol of the published figures, which are then shown on it."""
    from harness.leaderboard.published import ANNOTATED

    return any(record.protocol == "published" and record.annotated == ANNOTATED[record.task] for record in found)
