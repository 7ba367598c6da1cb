"""One process at a time makes an entry of the store; the others wait and find it made."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from filelock import FileLock

ATTEMPTS = 100
"""At most so often is a folder made anew that goes before its lock is had."""


@contextmanager
def entry_lock(path: Path, what: str = "") -> Iterator[None]:
    """Hold the lock of the entry that will be at `path`; released even when the holder is killed.

    The folder of the lock may go while it is waited for. what: what is made, for who waits (default: the name of
    `path`).
    """
    from filelock import FileLock

    lock_path = path.parent / f".{path.name}.lock"
    try:
        lock = FileLock(lock_path)
        _acquire(lock, lock_path.parent, what or path.name)
    except OSError as error:
        raise FramelightError(
            f"cannot write {lock_path}: {error.strerror}; choose another store with --store DIR, or "
            "for what goes to --out another place"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, what: str) -> None:
    from filelock import Timeout

    timeout, left = 0.05, ATTEMPTS
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=timeout)
            return
        except Timeout:
            print(f"waiting for another process that makes {what}", file=sys.stderr)
            timeout = -1
        except FileNotFoundError:  # who held it has removed the folder
            left -= 1
            if not left:
                raise
            time.sleep(0.01)
