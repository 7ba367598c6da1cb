"""Causal replays of a store's runs: saved predictions of jobs, scored again with filters that use no future frames.

Saved replays are read. Missing ones are computed with the labels of the dataset on disk.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from harness.jobs import causal
from harness.leaderboard.configurations import finished_records, group_by_configuration
from harness.leaderboard.dataset_folders import DatasetFolders
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
    """Return the causal replays of finished jobs; compute and save those that are missing.

    There is no replay of jobs on still images, nor of baselines that use the labels of the reported split. Jobs whose
    replay fails are left out with a warning.

    Parameters
    ----------
    records : iterable of Record
        Records in any order.
    store : Store
        The store of the runs.
    data : Path or None
        Folder of a dataset that was moved. Other datasets are read from the folders that the store last opened.
    progress : callable
        Called after each replay that had to be computed, with the number computed so far and the total number.
    task : str, optional
        Default: all tasks.

    Returns
    -------
    dict of str to Record
        Records of the replays, by the id of the replayed job.

    Raises
    ------
    InputError
        If `data` is not a dataset.
    """
    jobs = [
        record
        for group in group_by_configuration(records, task)
        for record in finished_records(group)
        if _is_replayable(record)
    ]
    replays: dict[str, Record] = {}
    pending: list[Record] = []
    failures = Counter[str]()
    for record in jobs:
        try:
            replay = causal.load_record(store, record)
        except FramelightError as error:
            failures[str(error)] += 1
            continue
        if replay is None:
            pending.append(record)
        else:
            replays[record.job_id] = replay
    remove_stale_temp_files(store.causal)
    folders = DatasetFolders(store, jobs, data)
    for done, record in enumerate(pending, start=1):
        try:
            replays[record.job_id] = causal.run_replay(store, record, *folders.find_folder(record))
        except FramelightError as error:
            failures[str(error)] += 1
        progress(done, len(pending))
    if pending and data is not None and not folders.used:
        logger.warning(f"--data {data}: no run that had to be replayed was made on these images and annotations")
    for message, count in failures.items():
        logger.warning(f"{plural(count, 'job', 'd')} left out: {message}")
    return replays


def _is_replayable(record: Record) -> bool:
    """Whether a causal replay makes sense: for runs and baselines on videos, unless they use the reported labels."""
    return record.kind in ("run", "baseline") and "uses_labels" not in record.flags and record.unit == "video"
