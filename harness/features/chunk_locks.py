"""Who works on what: two processes that extract the same thing share the chunks instead of doing each twice."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from harness.utils.errors import FramelightError

Chunk = TypeVar("Chunk")
LOCKS_FOLDER = ".claims"
"""In an entry, for as long as somebody works on it."""


class ChunkLocks:
    """Locks on the chunks of one entry; the system releases those of a process that is killed.

    Only a saving: what is stored is the same whoever computes it, so a lock that fails to hold costs time alone.
    """

    def __init__(self, entry: Path) -> None:
        self.folder = entry / LOCKS_FOLDER
        self.held: dict[int, Any] = {}

    def __enter__(self) -> ChunkLocks:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise FramelightError(
                f"cannot write {self.folder.parent}: {error.strerror}; choose another store with --store DIR"
            ) from error
        return self

    def __exit__(self, *_: Any) -> None:
        for number in list(self.held):
            self.release(number)
        shutil.rmtree(self.folder, ignore_errors=True)

    def iter_available(self, chunks: list[Chunk], done: Callable[[Chunk], bool]) -> Iterator[tuple[int, Chunk]]:
        """(number, chunk) that nobody has done or works on, each to be done and then released here."""
        return self._claim(chunks, done, wait=False)

    def iter_remaining(self, chunks: list[Chunk], done: Callable[[Chunk], bool]) -> Iterator[tuple[int, Chunk]]:
        """What others claimed and did not finish; waits for its holders.

        To be called with nothing held: two processes that each wait for what the other holds would wait for ever.
        Claims made here are in ascending order, which cannot close such a ring.
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
        lock = self.held.pop(number, None)
        if lock is not None:
            lock.release()

    def _acquire(self, number: int, wait: bool) -> bool:
        from filelock import FileLock, Timeout

        lock = FileLock(self.folder / f"{number}.lock", timeout=-1 if wait else 0)
        try:
            lock.acquire()
        except Timeout:
            return False
        except OSError:
            return True
        self.held[number] = lock
        return True
