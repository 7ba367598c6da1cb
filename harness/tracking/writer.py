"""Who writes: one process at a time, under a lock file, with its name on what it wrote."""

from __future__ import annotations

import getpass
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from harness.tracking.entries import WRITER
from harness.tracking.location import Location
from harness.utils.errors import FramelightError

LOCK_SECONDS = 300


@contextmanager
def locked(location: Location) -> Iterator[None]:
    """Hold the location's lock; it goes with the process that held it, however that ends."""
    try:
        with FileLock(location.lock, timeout=LOCK_SECONDS):
            yield
    except Timeout as error:
        raise FramelightError(f"another process has held {location.lock} for {LOCK_SECONDS} s; "
                              "wait for it or end it, then run the command again") from error


def writer(location: Location) -> str:
    """This store on this machine: whoever holds its lock may clear what a killed process of it left."""
    return f"{platform.node()}:{location.store}"


def source_tags(location: Location) -> dict[str, str]:
    """Tags that say who logged a run, in MLflow's own names where it has them."""
    return {"mlflow.source.name": "framelight", "mlflow.source.type": "LOCAL", "mlflow.user": _user(),
            WRITER: writer(location)}


def make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FramelightError(f"cannot write {folder}: {error.strerror}; "
                              "choose another store with --store DIR") from error


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
