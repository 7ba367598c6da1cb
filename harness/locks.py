"""One process at a time makes an entry of the store; the others wait and find it made."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import FramelightError


@contextmanager
def making(path: Path) -> Iterator[None]:
    """Hold the lock of the entry that will be at `path`; released even when the holder is killed."""
    from filelock import FileLock, Timeout

    lock_path = path.parent / f".{path.name}.lock"
    try:
        lock_path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(lock_path)
        try:
            lock.acquire(timeout=0.05)
        except Timeout:
            print(f"waiting for another process that makes {path.name}", file=sys.stderr)
            lock.acquire()
    except OSError as error:
        raise FramelightError(f"cannot write {lock_path}: {error.strerror}; choose another store with --store DIR, or "
                              "for what goes to --out another place") from error
    try:
        yield
    finally:
        lock.release()
