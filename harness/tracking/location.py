"""Tracking locations: the sqlite file of a store (default), another database, or an MLflow server."""

from __future__ import annotations

import getpass
import logging
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlparse

from filelock import FileLock, Timeout

from harness.tracking.serialization import WRITER_TAG
from harness.utils.errors import FramelightError, InputError
from harness.utils.store import Store

logger = logging.getLogger(__name__)

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


class TrackingUnavailableError(FramelightError):
    """Error when a result cannot be sent; it stays in the store and the next run sends it."""


@dataclass(frozen=True)
class Location:
    """Where runs of a store are tracked.

    Attributes
    ----------
    store : Store
        The local store, with an absolute root.
    uri : str
        MLflow's tracking URI.
    """

    store: Store
    uri: str

    @property
    def database(self) -> Path | None:
        """Path of the sqlite file; None for a server or another database."""
        prefix = "sqlite:///"
        return Path(unquote(self.uri[len(prefix) :].split("?")[0])) if self.uri.startswith(prefix) else None

    @property
    def server(self) -> bool:
        """Whether the location is an MLflow server."""
        return urlparse(self.uri).scheme in ("http", "https")

    @property
    def artifacts(self) -> str | None:
        """Artifact folder of a new experiment; None if the server chooses it."""
        return None if self.server else str(self.store.mlflow)

    @property
    def lock(self) -> Path:
        """Lock file that serializes the writers of a sqlite file, or of a store."""
        return Path(f"{self.database}.lock") if self.database else self.store.mlflow_lock


def locate(store: Store) -> Location:
    """Return the tracking location of a store: its tracking URI, or its own database.

    Raises
    ------
    InputError
        If the tracking URI is a folder, as MLflow does not support file stores any more, or has an unknown scheme.
    """
    store = store.resolve()
    tracking_uri = store.tracking_uri
    if not tracking_uri:
        return Location(store, f"sqlite:///{store.mlflow_database}")
    if urlparse(tracking_uri).scheme in ("", "file"):
        folder = Path(unquote(urlparse(tracking_uri).path)).expanduser().absolute()
        raise InputError(
            f"tracking URI '{tracking_uri}' is a folder, and MLflow no longer supports file stores; "
            f"use sqlite:///{folder / 'mlflow.db'} or http://HOST:PORT"
        )
    scheme = urlparse(tracking_uri).scheme.split("+")[0]
    if scheme not in SCHEMES:
        raise InputError(
            f"tracking URI '{tracking_uri}' has an unknown scheme '{scheme}'; use one of {', '.join(SCHEMES)}"
        )
    return Location(store, tracking_uri)


LOCK_SECONDS = 900
"""Maximum time to wait for the lock of a location."""
MESSAGE_AFTER_SECONDS = 5
"""Time after which a waiting process says so."""


@contextmanager
def lock_location(location: Location) -> Iterator[None]:
    """Hold the lock of a location in a context; the system releases the lock of a killed process.

    Raises
    ------
    FramelightError
        If another process has the lock for more than `LOCK_SECONDS`.
    """
    lock = FileLock(location.lock)
    try:
        lock.acquire(timeout=min(MESSAGE_AFTER_SECONDS, LOCK_SECONDS))
    except Timeout:
        logger.info(f"waiting for another process that is writing to {location.uri}")
        try:
            lock.acquire(timeout=max(0, LOCK_SECONDS - MESSAGE_AFTER_SECONDS))
        except Timeout as error:
            raise FramelightError(
                f"another process has held {location.lock} for {LOCK_SECONDS} s; "
                "wait for it or end it, then run the command again"
            ) from error
    try:
        yield
    finally:
        lock.release()


def writer_id(location: Location) -> str:
    """Return the identity of the store on this machine; the owner of its lock may delete its incomplete runs."""
    return f"{platform.node()}:{location.store}"


def source_tags(location: Location) -> dict[str, str]:
    """Return the tags that identify who logged a run; standard MLflow tags if they exist."""
    return {
        "mlflow.source.name": "framelight",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user_name(),
        WRITER_TAG: writer_id(location),
    }


def make_folder(folder: Path) -> None:
    """Create a folder; raise FramelightError if this is not possible."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise FramelightError(
            f"cannot write {folder}: {error.strerror}; choose another store with --store DIR"
        ) from error


def _user_name() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
