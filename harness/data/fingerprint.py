"""Content hashes of crops, cached by the `os.stat` results of the files so that unchanged images are not read again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Protocol

from backbones.regular_files import read_regular
from harness.data.dataset import Dataset, Sequence
from harness.data.image_decoding import orientation_of
from harness.data.splits import labels_fingerprint
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash
from harness.utils.json_cache import JsonCache
from harness.utils.names import name_bytes

VERSION = 1


def digest_cache(path: Path | None = None) -> JsonCache:
    """Open the cache of sequence digests; without a path, it is in memory only. Its keys are `os.stat` results."""
    return JsonCache(path, VERSION, "digests")


def sequence_digest(sequence: Sequence, cache: JsonCache | None = None, upright: bool = False) -> str:
    """Return a hash of the crops of a sequence, independent of their folder.

    Parameters
    ----------
    sequence : Sequence
    cache : JsonCache, optional
        See `digest_cache`.
    upright : bool, default False
        Whether images are decoded upright by their EXIF orientation; see `Dataset.upright`.

    Returns
    -------
    str
        64 hexadecimal digits. The hash covers the frame numbers, file names and bytes. With `upright`, it also covers
        the EXIF orientations, so that features of images that were not turned upright are not reused. If a file cannot
        be read, the hash covers this fact instead of the bytes. Such a hash is not cached, because another user may be
        able to read the file.

    Raises
    ------
    InputError
        If a file is gone, or its folder cannot be entered.
    """
    cache = digest_cache() if cache is None else cache
    try:
        signature = ("upright " if upright else "") + _stat_signature(sequence)
        digest = cache.get(signature)
        if digest is None:
            digest, complete = _content_digest(sequence, upright)
            if complete:
                cache.set(signature, digest)
    except OSError as error:
        raise InputError(f"{error.filename}: cannot be read: {error.strerror}") from error
    return digest


def dataset_digest(dataset: Dataset, cache: Path | None = None, names: Iterable[str] | None = None) -> str:
    """Return a hash of the names and crops of sequences.

    Parameters
    ----------
    dataset : Dataset
    cache : Path, optional
        File that caches the digests of sequences.
    names : iterable of str, optional
        Sequences to hash; all by default.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    digests_by_stat = digest_cache(cache)
    sequence_names = sorted(dataset.sequences if names is None else set(names))
    digests = {
        name: sequence_digest(dataset.sequences[name], digests_by_stat, dataset.upright) for name in sequence_names
    }
    digests_by_stat.save()
    return content_hash(digests, 16)


class DataRecord(Protocol):
    """Fields of a record that identify its data."""

    @property
    def task(self) -> str:
        """Name of the task."""

    @property
    def data_digest(self) -> str:
        """Digest of the images and labels; see `data_digest`."""


class DatasetFingerprint:
    """Digests that identify a dataset in results, each computed at its first use.

    Parameters
    ----------
    dataset : Dataset
    cache : Path, optional
        File that caches the digests of crops.
    """

    def __init__(self, dataset: Dataset, cache: Path | None = None) -> None:
        self.dataset, self._cache = dataset, cache
        self._labels: dict[str, str] = {}

    @cached_property
    def images(self) -> str:
        """Digest of all crops."""
        return dataset_digest(self.dataset, self._cache)

    def labels(self, task: str) -> str:
        """Return the digest of the annotations of a task; see `labels_fingerprint`."""
        if task not in self._labels:
            self._labels[task] = labels_fingerprint(self.dataset, task)
        return self._labels[task]

    def matches(self, record: DataRecord) -> bool:
        """Return whether a record was computed on the same images and annotations."""
        return data_digest(self.images, self.labels(record.task)) == record.data_digest


def data_digest(images: str, labels: str) -> str:
    """Combine the digests of images and labels into the `data_digest` of records."""
    return content_hash([images, labels])


def _stat_signature(sequence: Sequence) -> str:
    hashed = hashlib.sha256()
    for path in sequence.images:
        stat = _stat(path)
        hashed.update(os.fsencode(path.absolute()))
        hashed.update(f"\0{stat.st_size}\0{stat.st_mtime_ns}\0{stat.st_ctime_ns}\n".encode())
    hashed.update(sequence.frames.tobytes())
    return hashed.hexdigest()


def _stat(path: Path) -> os.stat_result:
    """Return the `os.stat` result of a file, or of the link itself if its target cannot be read."""
    try:
        return path.stat()
    except OSError:
        return path.lstat()


def _content_digest(sequence: Sequence, upright: bool) -> tuple[str, bool]:
    """Return a hash of the files of a sequence, and whether all of them can be read."""
    hashed = hashlib.sha256()
    complete = True
    for frame, path in zip(sequence.frames.tolist(), sequence.images):
        try:
            content = read_regular(path)
        except OSError:
            path.lstat()  # raises OSError if the file is gone
            hashed.update(name_bytes(f"{frame}\0{path.name}\0unreadable\0"))
            complete = False
            continue
        hashed.update(name_bytes(f"{frame}\0{path.name}\0{len(content)}\0"))
        hashed.update(content)
        if upright and (orientation := orientation_of(content)) != 1:
            hashed.update(f"\0orientation {orientation}\0".encode())
    return hashed.hexdigest(), complete
