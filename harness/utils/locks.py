"""File locks that let one process at a time create an entry of the store."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from harness.utils.errors import FramelightError
from harness.utils.escaping import escape_text

if TYPE_CHECKING:
    from filelock import FileLock

ATTEMPTS = 100
"""Maximum number of times a folder is created again that was removed before its lock was acquired."""


@contextmanager
def entry_lock(path: Path, what: str = "") -> Iterator[None]:
    """Lock the entry at a path; the lock is also released if the process is killed.

    Parameters
    ----------
    path : Path
        Entry to be created. Its folder is created, again if it is removed while waiting for the lock.
    what : str, default=""
        Name of the entry in the message of a waiting process; by default the name of `path`.

    Raises
    ------
    FramelightError
        If the lock file cannot be written.
    """
    from filelock import FileLock

    lock_path = path.parent / f".{path.name}.lock"
    try:
        lock = FileLock(lock_path)
        _acquire(lock, lock_path.parent, what or path.name)
    except OSError as error:
        raise FramelightError(
            f"cannot write {lock_path}: {error.strerror}; choose another store with --store DIR, or "
            "another output folder with --out DIR"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: FileLock, folder: Path, what: str) -> None:
    """Acquire a lock; print a message when another process holds it."""
    from filelock import Timeout

    timeout, attempts_left = 0.05, ATTEMPTS
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout=timeout)
            return
        except Timeout:
            sys.stderr.write(f"waiting for another process that is creating {escape_text(what)}\n")
            timeout = -1
        except FileNotFoundError:  # the process that held the lock has removed the folder
            attempts_left -= 1
            if not attempts_left:
                raise
            time.sleep(0.01)
