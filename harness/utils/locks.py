"""File locks that let one process at a time create an entry of the store."""

from __future__ import annotations

import errno
import logging
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.utils.errors import FramelightError
from harness.utils.escaping import escape_text
from harness.utils.names import bounded_name

logger = logging.getLogger(__name__)

ATTEMPTS = 100
"""Maximum number of times a folder is created again that was removed before its lock was acquired."""
NO_LOCKS = frozenset((errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL))
"""Errors of flock(2) on file systems without locks, such as some network and parallel file systems."""
MARKER = ".held"
"""Suffix of the file that stands for a lock on such file systems."""
_devices_without_locks: set[int] = set()
"""Devices of the file systems that a warning has named."""


class ProcessLock:
    """Lock of a file that one process holds at a time; it ends with the process, also if that is killed.

    On a file system without locks, a second file with the suffix `MARKER` is the lock: it names process and machine of
    its holder, and other processes of that machine remove it once the holder has ended.

    Parameters
    ----------
    path : Path
        The lock file, which is created in an existing folder and stays. Its permissions are those of any new file, so
        that other users of a shared store can lock it.
    """

    def __init__(self, path: Path) -> None:
        from filelock import FileLock

        self.path = Path(path)
        self._lock: Any = FileLock(self.path, fallback_to_soft=False)

    def acquire(self, timeout: float = -1) -> None:
        """Acquire the lock.

        Parameters
        ----------
        timeout : float, default=-1
            Seconds to wait for another process; without limit if negative.

        Raises
        ------
        filelock.Timeout
            If another process has the lock for longer; an `OSError`.
        OSError
            If the file cannot be written.
        """
        try:
            self._lock.acquire(timeout=timeout)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            self._use_marker(error)
            self._lock.acquire(timeout=timeout)

    def release(self) -> None:
        """Release the lock."""
        self._lock.release()

    @property
    def has_marker(self) -> bool:
        """Whether the file system has no locks, so that a marker is the lock."""
        return str(self._lock.lock_file) != str(self.path)

    def _use_marker(self, error: OSError) -> None:
        from filelock import SoftFileLock

        self._lock = SoftFileLock(f"{self.path}{MARKER}")
        device = self.path.parent.stat().st_dev
        if device in _devices_without_locks or multiprocessing.parent_process() is not None:
            return  # a worker would repeat what the parent has said
        _devices_without_locks.add(device)
        logger.warning(
            f"the file system of {self.path.parent} has no file locks ({os.strerror(error.errno or 0)}); files named "
            f"*.lock{MARKER} are used instead; if a command waits for one after a machine has crashed, delete it"
        )


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
    lock_path = path.parent / bounded_name(path.name, ".", f".lock{MARKER}").removesuffix(MARKER)
    try:
        lock = ProcessLock(lock_path)
        _acquire(lock, what or path.name)
    except OSError as error:
        raise FramelightError(
            f"cannot write {lock_path}: {error.strerror or error}; choose another store with --store DIR, or "
            "another output folder with --out DIR"
        ) from error
    try:
        yield
    finally:
        lock.release()


def _acquire(lock: ProcessLock, what: str) -> None:
    """Acquire a lock; print a message when another process holds it."""
    from filelock import Timeout

    timeout, attempts_left = 0.05, ATTEMPTS
    while True:
        lock.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.acquire(timeout)
            return
        except Timeout:
            marker = f" (its lock is {lock.path}{MARKER})" if lock.has_marker else ""
            if sys.stderr is not None:
                sys.stderr.write(f"waiting for another process that is creating {escape_text(what + marker)}\n")
            timeout = -1
        except FileNotFoundError:  # the process that held the lock has removed the folder
            attempts_left -= 1
            if not attempts_left:
                raise
            time.sleep(0.01)
