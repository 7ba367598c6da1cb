"""The causal replays of a store's runs: those that are kept, and those still to be made from the labels on disk."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path

from harness.data import locations
from harness.data.fingerprint import DatasetFingerprint
from harness.data.registry import open_dataset
from harness.features.store import FeatureStore
from harness.jobs import causal
from harness.leaderboard.rows import finished, group_by_configuration
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import remove_stale_temp_files
from harness.utils.store import Store
from harness.utils.text import plural

logger = logging.getLogger(__name__)


def get_causal_replays(records: Iterable[Record], store: Store, data: Path | None, progress: Callable[[int, int], None],
             task: str | None = None) -> dict[str, Record]:
    """By job id, what each finished job comes to in real time. Those that are not in the store yet are replayed and
    kept; those that cannot be are told of and left out.

    data: where a data set lies by now; others lie where the store last met them. InputError where it is none.
    """
    jobs = [record for group in group_by_configuration(records, task) for record in finished(group)
            if _has_causal_replay(record)]
    found, waiting, faults = {}, [], Counter[str]()
    for record in jobs:
        try:
            kept = causal.recorded(store, record)
        except FramelightError as error:
            faults[str(error)] += 1
            continue
        if kept is None:
            waiting.append(record)
        else:
            found[record.job_id] = kept
    remove_stale_temp_files(store.causal)
    places = _DatasetFolders(store, jobs, data)
    for done, record in enumerate(waiting, start=1):
        try:
            found[record.job_id] = causal.replay(store, record, *places.of(record))
        except FramelightError as error:
            faults[str(error)] += 1
        progress(done, len(waiting))
    if waiting and data is not None and not places.used:
        logger.warning(f"--data {data} is not what any run here was made on, images and annotations")
    for fault, times in faults.items():
        logger.warning(f"{plural(times, 'job', 'd')} left out: {fault}")
    return found


def _has_causal_replay(record: Record) -> bool:
    """Published figures have no predictions, what reads labels no camera, and stills no time."""
    return record.kind in ("run", "baseline") and "uses_labels" not in record.flags and record.unit == "video"


class _DatasetFolders:
    """Where the data sets of runs lie."""

    def __init__(self, store: Store, jobs: Iterable[Record], data: Path | None) -> None:
        self._store, self._data = store, data
        self._entries = {record.data_digest: entry for record in jobs if (entry := record.config.get("entry"))}
        self._opened = lru_cache(_opened)
        if data is not None:
            open_dataset(data)
        self.used = False
        """Whether the folder that was named is that of a run."""

    def of(self, record: Record) -> tuple[Path, str]:
        """The folder of the record's data set, and the digest of its task's annotations; FramelightError where it is
        not there any more, or changed since."""
        known = self._last_folder(record)
        for root in (self._data, known):
            labels = None if root is None else self._matching_labels(root, record)
            if labels is not None:
                self.used = self.used or root == self._data
                return root, labels
        named = f"the data set of task {record.task}, {record.dataset} [{record.data_digest[:6]}],"
        if known is None:
            raise FramelightError(f"it is not known where {named} lies; add --data DIR")
        raise FramelightError(f"{named} is not in {known} any more, or changed; add --data DIR")

    def _last_folder(self, record: Record) -> Path | None:
        try:
            entry = FeatureStore(self._store.features).entry(self._entries[record.data_digest])
        except (FramelightError, KeyError):
            return None
        return locations.get_location(self._store, entry.data_digest)

    def _matching_labels(self, root: Path, record: Record) -> str | None:
        """The digest of the task's annotations in `root`, where its images and they are those of the record."""
        try:
            fingerprint = self._opened(root, self._store)
            return fingerprint.labels(record.task) if fingerprint.matches(record) else None
        except InputError:
            return None


def _opened(root: Path, store: Store) -> DatasetFingerprint:
    return DatasetFingerprint(open_dataset(root), store.digests)
