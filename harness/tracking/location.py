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

from filelock import Timeout

from harness.tracking.database_errors import lock_holders
from harness.tracking.serialization import WRITER_TAG
from harness.tracking.sqlite_uri import is_sqlite, sqlite_path, sqlite_uri
from harness.utils.errors import FramelightError, InputError
from harness.utils.locks import ProcessLock
from harness.utils.paths import expand_home
from harness.utils.store import Store

logger = logging.getLogger(__name__)

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


class TrackingUnavailableError(FramelightError):
    """Error when a result cannot be sent; the result stays in the store, and the next run sends it."""


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

    def __str__(self) -> str:
        """Return the location as messages name it."""
        return self.uri if self.database is None else f"sqlite:///{self.database}"

    @property
    def database(self) -> Path | None:
        """Path of the sqlite file; None for a server or another database."""
        return sqlite_path(self.uri)

    @property
    def server(self) -> bool:
        """Whether the location is an MLflow server."""
        return urlparse(self.uri).scheme in ("http", "https")

    @property
    def artifacts(self) -> str | None:
        """Artifact folder of a new experiment, as a path or a URI; None if the server chooses it."""
        folder = self.store.mlflow
        is_plain = not set(str(folder)) & set("%?#") and not str(folder).startswith("//")
        return None if self.server else str(folder) if is_plain else folder.as_uri()

    @property
    def lock(self) -> Path:
        """Lock file that serializes the writers of a sqlite file, or of a store."""
        return Path(f"{self.database}.lock") if self.database else self.store.mlflow_lock


def locate(store: Store) -> Location:
    """Return the tracking location of a store: the tracking URI if the store has one, else the store's database.

    Raises
    ------
    InputError
        If the tracking URI is a folder (MLflow no longer supports file stores), is a database in memory or has an
        unknown scheme, or if the path of the store is not valid UTF-8.
    """
    store = store.resolve()
    _check_encoding(str(store))
    tracking_uri = store.tracking_uri
    if not tracking_uri:
        return Location(store, sqlite_uri(store.mlflow_database))
    if is_sqlite(tracking_uri):
        return Location(store, _usable_sqlite_uri(tracking_uri))
    scheme, separator, _ = tracking_uri.partition("://")
    if not separator or scheme == "file":
        path = unquote(urlparse(tracking_uri).path) if tracking_uri.startswith("file:") else tracking_uri
        folder = expand_home(path).absolute()
        raise InputError(
            f"tracking URI '{tracking_uri}' is a folder, and MLflow no longer supports file stores; "
            f"use {sqlite_uri(folder / 'mlflow.db')} or http://HOST:PORT"
        )
    scheme = scheme.split("+")[0]
    if scheme not in SCHEMES:
        raise InputError(
            f"tracking URI '{tracking_uri}' has an unknown scheme '{scheme}'; use one of {', '.join(SCHEMES)}"
        )
    return Location(store, tracking_uri)


def _check_encoding(path: str) -> None:
    """Raise InputError for a path that MLflow cannot store as text."""
    try:
        path.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"the path of the store, {path}, is not valid UTF-8, or the locale has another encoding; choose another "
            "folder with --store DIR, or set PYTHONUTF8=1"
        ) from error


def _usable_sqlite_uri(uri: str) -> str:
    """Return a URI that MLflow, SQLAlchemy and Framelight take for the same file; a URI with options is unchanged."""
    path = sqlite_path(uri)
    if path is None:
        raise InputError(f"tracking URI '{uri}' is a database in memory, which is lost; use sqlite:///FILE")
    return uri if "?" in uri else sqlite_uri(expand_home(path))


LOCK_SECONDS = 900
"""Maximum time to wait for the lock of a location."""
MESSAGE_AFTER_SECONDS = 5
"""Time after which a waiting process logs that it waits."""


@contextmanager
def lock_location(location: Location) -> Iterator[None]:
    """Context manager that holds the lock of a location; if the process is killed, the system releases the lock.

    Raises
    ------
    FramelightError
        If another process has the lock for more than `LOCK_SECONDS`.
    OSError
        If the lock file cannot be written.
    """
    lock = ProcessLock(location.lock)
    try:
        lock.acquire(min(MESSAGE_AFTER_SECONDS, LOCK_SECONDS))
    except Timeout:
        holders = ", ".join(lock_holders(location.lock)) or "another process"
        logger.info(f"waiting for {holders} that is writing to {location}{lock.marker_note}")
        try:
            lock.acquire(max(0, LOCK_SECONDS - MESSAGE_AFTER_SECONDS))
        except Timeout as error:
            raise FramelightError(
                f"another process has held {location.lock} for {LOCK_SECONDS} s{lock.marker_note}; "
                "wait for it or end it, then run the command again"
            ) from error
    try:
        yield
    finally:
        lock.release()


def writer_id(location: Location) -> str:
    """Return the id of the store on this machine, which is a tag of all runs that the store logs.

    On a server, a store deletes only runs that have its id.
    """
    return f"{platform.node()}:{location.store}"


def source_tags(location: Location) -> dict[str, str]:
    """Return the tags that identify who logged a run: standard MLflow tags and the id of the writer."""
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
