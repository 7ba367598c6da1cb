"""Where runs are tracked: the sqlite file of a store by default, another database, or an MLflow server."""

from __future__ import annotations

import getpass
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

SCHEMES = ("http", "https", "sqlite", "postgresql", "mysql", "mssql", "databricks")


class TrackingUnavailableError(FramelightError):
    """A result could not be sent; it is kept in the store and the next run sends it."""


@dataclass(frozen=True)
class Location:
    """store: this machine's results, with an absolute root; uri: what MLflow calls the tracking URI."""

    store: Store
    uri: str

    @property
    def database(self) -> Path | None:
        """The sqlite file, or None for a server or another database."""
        prefix = "sqlite:///"
        return Path(unquote(self.uri[len(prefix) :].split("?")[0])) if self.uri.startswith(prefix) else None

    @property
    def server(self) -> bool:
        return urlparse(self.uri).scheme in ("http", "https")

    @property
    def artifacts(self) -> str | None:
        """Artifact folder of a new experiment; None lets a server decide."""
        return None if self.server else str(self.store.mlflow)

    @property
    def lock(self) -> Path:
        """One writer at a time: all that share a sqlite file, or all that share a store."""
        return Path(f"{self.database}.lock") if self.database else self.store.mlflow_lock


def locate(store: Store) -> Location:
    """The store's own database, or what its tracking URI names. InputError for a folder: MLflow retired file stores."""
    store = store.resolve()
    tracking_uri = store.tracking_uri
    if not tracking_uri:
        return Location(store, f"sqlite:///{store.mlflow_database}")
    if urlparse(tracking_uri).scheme in ("", "file"):
        folder = Path(unquote(urlparse(tracking_uri).path)).expanduser().absolute()
        raise InputError(
            f"tracking URI '{tracking_uri}' is a folder, which MLflow no longer tracks in; "
            f"give sqlite:///{folder / 'mlflow.db'} or http://HOST:PORT"
        )
    scheme = urlparse(tracking_uri).scheme.split("+")[0]
    if scheme not in SCHEMES:
        raise InputError(
            f"tracking URI '{tracking_uri}' has an unknown scheme '{scheme}'; MLflow tracks at {', '.join(SCHEMES)}"
        )
    return Location(store, tracking_uri)


LOCK_SECONDS = 300


@contextmanager
def lock_location(location: Location) -> Iterator[None]:
    """Hold the location's lock; it goes with the process that held it, however that ends."""
    try:
        with FileLock(location.lock, timeout=LOCK_SECONDS):
            yield
    except Timeout as error:
        raise FramelightError(
            f"another process has held {location.lock} for {LOCK_SECONDS} s; "
            "wait for it or end it, then run the command again"
        ) from error


def writer_id(location: Location) -> str:
    """This store on this machine: whoever holds its lock may clear what a killed process of it left."""
    return f"{platform.node()}:{location.store}"


def source_tags(location: Location) -> dict[str, str]:
    """Tags that say who logged a run, in MLflow's own names where it has them."""
    return {
        "mlflow.source.name": "framelight",
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user_name(),
        WRITER_TAG: writer_id(location),
    }


def make_folder(folder: Path) -> None:
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
