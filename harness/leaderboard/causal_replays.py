"""The causal replays of a store's runs: those that are kept, and those still to be made from the labels on disk."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.jobs import causal
from harness.leaderboard.dataset_folders import DatasetFolders
from harness.leaderboard.rows import finished_records, group_by_configuration
from harness.tracking.records import Record
from harness.utils.errors import FramelightError
from harness.utils.files import remove_stale_temp_files
from harness.utils.store import Store
from harness.utils.text import plural

logger = logging.getLogger(__name__)


def get_causal_replays(
    records: Iterable[Record],
    store: Store,
    data: Path | None,
    progress: Callable[[int, int], None],
    task: str | None = None,
) -> dict[str, Record]:
    """By job id, what each finished job comes to in real time. Those that are not in the store yet are replayed and
    kept; those that cannot be are told of and left out.

    data: where a data set lies by now; others lie where the store last met them. InputError where it is none.
    """
    jobs = [
        record
        for group in group_by_configuration(records, task)
        for record in finished_records(group)
        if _is_replayable(record)
    ]
    found, waiting, faults = {}, [], Counter[str]()
    for record in jobs:
        try:
            kept = causal.load_record(store, record)
        except FramelightError as error:
            faults[str(error)] += 1
            continue
        if kept is None:
            waiting.append(record)
        else:
            found[record.job_id] = kept
    remove_stale_temp_files(store.causal)
    places = DatasetFolders(store, jobs, data)
    for done, record in enumerate(waiting, start=1):
        try:
            found[record.job_id] = causal.run_replay(store, record, *places.find_folder(record))
        except FramelightError as error:
            faults[str(error)] += 1
        progress(done, len(waiting))
    if waiting and data is not None and not places.used:
        logger.warning(f"--data {data} is not what any run here was made on, images and annotations")
    for fault, times in faults.items():
        logger.warning(f"{plural(times, 'job', 'd')} left out: {fault}")
    return found


def _is_replayable(record: Record) -> bool:
    """Published figures have no predictions, what reads labels no camera, and stills no time."""
    return record.kind in ("run", "baseline") and "uses_labels" not in record.flags and record.unit == "video"
