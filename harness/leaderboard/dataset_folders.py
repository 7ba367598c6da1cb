"""Where the data sets of runs are: where the store last opened them, or in a folder that is named."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from harness.data import locations
from harness.data.fingerprint import DatasetFingerprint
from harness.data.registry import open_dataset
from harness.features.store import FeatureStore
from harness.tracking.records import Record
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store


class DatasetFolders:
    """The folders of the data sets that runs were made on.

    Parameters
    ----------
    store : Store
    records : iterable of Record
        Runs, some of which name the features of each data set.
    data : Path or None
        A folder to look into first, for a data set that was moved.

    Raises
    ------
    InputError
        Where `data` is no data set.
    """

    def __init__(self, store: Store, records: Iterable[Record], data: Path | None) -> None:
        self._store, self._data = store, data
        self._entries = {record.data_digest: entry for record in records if (entry := record.config.get("entry"))}
        self._opened = lru_cache(_open_fingerprint)
        if data is not None:
            open_dataset(data)
        self.used = False
        """Whether the folder that was named is that of a run."""

    def find_folder(self, record: Record) -> tuple[Path, str]:
        """The folder of the record's data set, and the digest of its task's annotations; FramelightError where it is
        not there any more, or changed since.
        """
        known = self._last_location(record)
        for root in filter(None, (self._data, known)):
            labels = self._matching_labels_digest(root, record)
            if labels is not None:
                self.used = self.used or root == self._data
                return root, labels
        named = f"the data set of task {record.task}, {record.dataset} [{record.data_digest[:6]}],"
        if known is None:
            raise FramelightError(f"it is not known where {named} lies; add --data DIR")
        raise FramelightError(f"{named} is not in {known} any more, or changed; add --data DIR")

    def _last_location(self, record: Record) -> Path | None:
        try:
            entry = FeatureStore(self._store.features).entry(self._entries[record.data_digest])
        except (FramelightError, KeyError):
            return None
        return locations.get_location(self._store, entry.data_digest)

    def _matching_labels_digest(self, root: Path, record: Record) -> str | None:
        """The digest of the task's annotations in `root`, where its images and they are those of the record."""
        try:
            fingerprint = self._opened(root, self._store)
            return fingerprint.labels(record.task) if fingerprint.matches(record) else None
        except InputError:
            return None


def _open_fingerprint(root: Path, store: Store) -> DatasetFingerprint:
    return DatasetFingerprint(open_dataset(root), store.digests)
