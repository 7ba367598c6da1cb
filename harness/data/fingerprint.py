"""Content hashes of crops, remembered by the files' stat so that unchanged images are not read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from typing import Protocol

from harness.data.dataset import Dataset, Sequence
from harness.data.splits import labels_fingerprint
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash
from harness.utils.json_cache import JsonCache

VERSION = 1


def digest_cache(path: Path | None = None) -> JsonCache:
    """Digests of sequences by the stat signatures of their files."""
    return JsonCache(path, VERSION, "digests")


def sequence_digest(sequence: Sequence, cache: JsonCache | None = None) -> str:
    """64 hex digits over the frame numbers, file names and bytes of a sequence's crops, wherever they lie."""
    cache = digest_cache() if cache is None else cache
    try:
        signature = _stat_signature(sequence)
        found = cache.get(signature)
        if found is None:
            found = _content_digest(sequence)
            cache.set(signature, found)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return found


def dataset_digest(
    dataset: Dataset,
    cache: Path | None = None,
    names: Iterable[str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """16 hex digits over the names and crops of the sequences `names` (default: all of them).

    cache: file that remembers digests; progress: called with sequences done and in all.
    """
    kept = digest_cache(cache)
    wanted = sorted(dataset.sequences if names is None else set(names))
    found = {}
    for done, name in enumerate(wanted, start=1):
        found[name] = sequence_digest(dataset.sequences[name], kept)
        if progress is not None:
            progress(done, len(wanted))
    kept.save()
    return content_hash(found, 16)


class DataRecord(Protocol):
    """What a record says of the data it was made on."""

    @property
    def task(self) -> str: ...

    @property
    def data_digest(self) -> str: ...


class DatasetFingerprint:
    """The digests that results know a data set by, each computed when it is first asked for.

    Parameters
    ----------
    dataset : Dataset
    cache : Path, optional
        File that remembers the digests of crops.
    """

    def __init__(self, dataset: Dataset, cache: Path | None = None) -> None:
        self.dataset, self._cache = dataset, cache
        self._labels: dict[str, str] = {}

    @cached_property
    def images(self) -> str:
        """Digest of every crop."""
        return dataset_digest(self.dataset, self._cache)

    def labels(self, task: str) -> str:
        """Digest of a task's annotations; InputError where the data set has none."""
        if task not in self._labels:
            self._labels[task] = labels_fingerprint(self.dataset, task)
        return self._labels[task]

    def matches(self, record: DataRecord) -> bool:
        """Whether a record was made on these very images and annotations."""
        return data_digest(self.images, self.labels(record.task)) == record.data_digest


def data_digest(images: str, labels: str) -> str:
    """The `data_digest` of records made on crops and annotations with these digests."""
    return content_hash([images, labels])


def _stat_signature(sequence: Sequence) -> str:
    hashed = hashlib.sha256()
    for path in sequence.images:
        stat = os.stat(path)
        hashed.update(f"{path.absolute()}\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
    hashed.update(sequence.frames.tobytes())
    return hashed.hexdigest()


def _content_digest(sequence: Sequence) -> str:
    hashed = hashlib.sha256()
    for frame, path in zip(sequence.frames.tolist(), sequence.images):
        content = path.read_bytes()
        hashed.update(f"{frame}\0{path.name}\0{len(content)}\0".encode())
        hashed.update(content)
    return hashed.hexdigest()
