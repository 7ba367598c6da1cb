"""Folders of the datasets of runs: a given folder, or the folder from which the store last opened the dataset."""

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
    """Find the folders of the datasets of runs.

    Parameters
    ----------
    store : Store
        The store of the runs.
    records : iterable of Record
        Records of runs. They name the cached features, from which the last folder of a dataset is found.
    data : Path or None
        A folder to try first, for a dataset that was moved.

    Attributes
    ----------
    used : bool
        Whether `find_folder` found the dataset of a run in `data`.

    Raises
    ------
    InputError
        If `data` is not a dataset.
    """

    def __init__(self, store: Store, records: Iterable[Record], data: Path | None) -> None:
        self._store, self._data = store, data
        self._entries = {record.data_digest: entry for record in records if (entry := record.config.get("entry"))}
        self._opened = lru_cache(_open_fingerprint)
        if data is not None:
            open_dataset(data)
        self.used = False

    def find_folder(self, record: Record) -> tuple[Path, str]:
        """Find the dataset of a run.

        Parameters
        ----------
        record : Record
            A job of the run.

        Returns
        -------
        root : Path
            The folder.
        labels_digest : str
            The digest of the annotations of the record's task.

        Raises
        ------
        FramelightError
            If the folder of the dataset is unknown, or the dataset is missing or was changed.
        """
        last_location = self._last_location(record)
        for root in filter(None, (self._data, last_location)):
            labels = self._matching_labels_digest(root, record)
            if labels is not None:
                self.used = self.used or root == self._data
                return root, labels
        dataset = f"the dataset of task {record.task}, {record.dataset} [{record.data_digest[:6]}],"
        if last_location is None:
            raise FramelightError(f"the folder of {dataset} is unknown; add --data DIR")
        raise FramelightError(f"{dataset} is no longer in {last_location}, or was changed; add --data DIR")

    def _last_location(self, record: Record) -> Path | None:
        try:
            entry = FeatureStore(self._store.features).entry(self._entries[record.data_digest])
        except (FramelightError, KeyError):
            return None
        return locations.get_location(self._store, entry.data_digest)

    def _matching_labels_digest(self, root: Path, record: Record) -> str | None:
        """Return the digest of the task's annotations in `root`, or None if `root` is not the dataset of the record."""
        try:
            fingerprint = self._opened(root, self._store)
            return fingerprint.labels(record.task) if fingerprint.matches(record) else None
        except InputError:
            return None


def _open_fingerprint(root: Path, store: Store) -> DatasetFingerprint:
    return DatasetFingerprint(open_dataset(root), store.digests)
