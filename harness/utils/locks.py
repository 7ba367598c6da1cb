"""File locks that let one process at a time create an entry of the store."""

from __future__ import annotations

import errno
import itertools
import logging
import multiprocessing
import os
import sys
import tempfile
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
"""Maximum number of attempts to lock a file whose folder is removed before the lock is acquired."""
NO_LOCKS = frozenset((errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.EINVAL))
"""Errors of flock(2) on file systems without locks, such as some network and parallel file systems."""
MARKER = ".held"
"""Suffix of the file that stands for a lock on a file system without locks."""
MIN_FAILURES, MAX_FAILURES, FAILURE_SECONDS = 5, 50, 0.06
"""From `MIN_FAILURES` failed attempts on, a file system may be considered to have no locks. After `MAX_FAILURES` failed
attempts the error is raised. `FAILURE_SECONDS` is the pause between two attempts.
"""
_devices_without_locks: set[int] = set()
"""Devices of the file systems that have no locks."""


class ProcessLock:
    """Lock of a file that one process holds at a time; the system releases it when the process ends or is killed.

    On a file system without locks, a second file with the suffix `MARKER` is the lock. It names the process and the
    machine of its holder. Once the holder has ended, other processes of that machine (and container) remove the file. A
    process that gets a lock from the file system still waits while another process holds such a file, because the
    same file system may have no locks on another machine.

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
        self._marker: Any = None

    def acquire(self, timeout: float = -1) -> None:
        """Acquire the lock.

        Parameters
        ----------
        timeout : float, default=-1
            Seconds to wait for another process; without limit if negative.

        Raises
        ------
        filelock.Timeout
            If another process holds the lock for longer than `timeout`. This error is a subclass of `OSError`.
        OSError
            If the file cannot be created or locked.
        """
        self._marker = None
        start = time.monotonic()
        has_locks = self._acquire_lock(timeout)
        if has_locks and not os.path.lexists(f"{self.path}{MARKER}"):
            return
        from harness.utils.marker_lock import MarkerLock

        self._marker = MarkerLock(f"{self.path}{MARKER}")
        try:
            self._marker.acquire(timeout if timeout < 0 else max(0, timeout - (time.monotonic() - start)))
        except BaseException:
            self._lock.release()
            raise

    def release(self) -> None:
        """Release the lock."""
        if self._marker is not None:
            self._marker.release()
        self._lock.release()

    @property
    def marker_note(self) -> str:
        """Remark for the message of a process that waits for a marker; "" if the lock is not a marker."""
        if self._marker is None:
            return ""
        return (
            f" (its lock is {self.path}{MARKER}; delete this file only if its process was killed on another machine or "
            "in another container)"
        )

    def _acquire_lock(self, timeout: float) -> bool:
        """Acquire a lock from the file system; return False if the file system has no locks."""
        for attempt in itertools.count(1):
            try:
                self._lock.acquire(timeout)
                return True
            except OSError as error:
                if error.errno not in NO_LOCKS or attempt == MAX_FAILURES:
                    raise
                if self._lacks_locks(error, attempt):
                    return False
            time.sleep(FAILURE_SECONDS)  # a busy lock server can refuse one lock and grant others
        return False

    def _lacks_locks(self, error: OSError, attempt: int) -> bool:
        """Return whether a failed attempt means that the file system has no locks; warn once if so."""
        device = self.path.parent.stat().st_dev
        if device in _devices_without_locks:
            return True
        if attempt < MIN_FAILURES or _probe(self.path.parent) != error.errno:
            return False
        _devices_without_locks.add(device)
        if multiprocessing.parent_process() is None:  # a worker would repeat the parent's warning
            logger.warning(
                f"the file system of {self.path.parent} has no file locks ({os.strerror(error.errno or 0)}); files "
                f"named *.lock{MARKER} are used instead; if a command waits for such a file, and the process that "
                "made it was killed on another machine or in another container, delete the file"
            )
        return True


def _probe(folder: Path) -> int | None:
    """Try to lock a new file in a folder; return the error number, or None on success."""
    from filelock import FileLock

    with tempfile.NamedTemporaryFile(dir=folder, prefix=".", suffix=".lock") as file:
        lock = FileLock(file.name, fallback_to_soft=False)
        try:
            lock.acquire(0)
        except OSError as error:
            return error.errno
        lock.release()
    return None


@contextmanager
def entry_lock(path: Path, what: str = "") -> Iterator[None]:
    """Lock the path of a file or folder while it is written; the lock is also released if the process is killed.

    Parameters
    ----------
    path : Path
        Path of the file or folder. Its parent folder is created, and created again if it is removed while waiting for
        the lock.
    what : str, default=""
        Name of the file or folder in the message of a waiting process; by default the name of `path`.

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
            if sys.stderr is not None:
                text = escape_text(what + lock.marker_note)
                sys.stderr.write(f"waiting for another process that is writing {text}\n")
            timeout = -1
        except FileNotFoundError:  # the process that held the lock has removed the folder
            attempts_left -= 1
            if not attempts_left:
                raise
            time.sleep(0.01)
