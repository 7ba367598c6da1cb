"""Chunk-level locks that let several processes share one extraction."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from harness.utils.errors import FramelightError
from harness.utils.locks import ProcessLock

logger = logging.getLogger(__name__)

Chunk = TypeVar("Chunk")
LOCKS_FOLDER = ".claims"
"""Name of the folder of the lock files; it is in the folder of an entry during the extraction."""
MESSAGE_AFTER_SECONDS = 5
"""Seconds of waiting for a lock before a message is logged. Only locks that are marker files cause a message."""


class ChunkLocks:
    """Context manager with one lock for each chunk of an entry.

    The operating system releases the locks of a killed process. Locks only save work: the stored features are the
    same whichever process computes them, so a lock that fails costs nothing but time.

    Parameters
    ----------
    entry : Path
        Folder of the feature entry.

    Raises
    ------
    FramelightError
        On entering, if the store is not writable.
    """

    def __init__(self, entry: Path) -> None:
        self.folder = entry / LOCKS_FOLDER
        self._locks: dict[int, ProcessLock] = {}

    def __enter__(self) -> ChunkLocks:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FramelightError(
                f"cannot write {self.folder.parent}: {error.strerror}; choose another store with --store DIR"
            ) from error
        return self

    def __exit__(self, *_: Any) -> None:
        for number in list(self._locks):
            self.release(number)
        shutil.rmtree(self.folder, ignore_errors=True)

    def iter_available(self, chunks: list[Chunk], done: Callable[[Chunk], bool]) -> Iterator[tuple[int, Chunk]]:
        """Lock and yield the chunks that are neither done nor locked by another process.

        Parameters
        ----------
        chunks : list
            All chunks of the entry, in the same order in every process.
        done : callable
            Returns whether a chunk is stored already.

        Yields
        ------
        number : int
            Position of the chunk in `chunks`. Pass it to `release` once the chunk is stored.
        chunk : object
            The chunk.
        """
        return self._claim(chunks, done, wait=False)

    def iter_remaining(self, chunks: list[Chunk], done: Callable[[Chunk], bool]) -> Iterator[tuple[int, Chunk]]:
        """Wait for the chunks that other processes locked, and yield those that they did not finish.

        Release all locks before calling this: two processes that wait for each other's locks would deadlock. This
        method acquires locks in ascending order, so it does not cause a deadlock itself.

        Parameters and yielded values are those of `iter_available`.
        """
        return self._claim(chunks, done, wait=True)

    def _claim(self, chunks: list[Chunk], done: Callable[[Chunk], bool], wait: bool) -> Iterator[tuple[int, Chunk]]:
        for number, chunk in enumerate(chunks):
            if done(chunk) or not self._acquire(number, wait):
                continue
            if done(chunk):
                self.release(number)
            else:
                yield number, chunk

    def release(self, number: int) -> None:
        """Release the lock of a chunk, if this process has it."""
        lock = self._locks.pop(number, None)
        if lock is not None:
            lock.release()

    def _acquire(self, number: int, wait: bool) -> bool:
        from filelock import Timeout

        lock = ProcessLock(self.folder / f"{number}.lock")
        try:
            _wait(lock) if wait else lock.acquire(0)
        except Timeout:
            return False
        except OSError:
            return True
        self._locks[number] = lock
        return True


def _wait(lock: ProcessLock) -> None:
    from filelock import Timeout

    try:
        lock.acquire(MESSAGE_AFTER_SECONDS)
    except Timeout:
        if lock.marker_note:
            logger.info(f"waiting for another process that is extracting features{lock.marker_note}")
        lock.acquire()
