"""MLflow's client with time limits.

A call to a server fails if it exceeds its time limit. A call that fails because a sqlite file is locked is repeated
until its time limit.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import quote

from harness.tracking.database_errors import is_lock_error, is_written_by_this_process, lock_holders
from harness.tracking.location import Location
from harness.utils.errors import FramelightError

logger = logging.getLogger(__name__)

CALL_SECONDS, TRANSFER_SECONDS = 300.0, 3600.0
"""Time limits, in seconds, of a call to a server and of a call that sends or receives files. MLflow itself limits only
the time between two bytes, so a server that sends one byte at a time could block a run forever."""
PING_SECONDS = 15.0
"""Time limit of the check whether a server answers."""
TRANSFERS = frozenset(("download_artifacts", "log_artifact", "log_artifacts", "log_model_artifacts"))
DATABASE_SECONDS = 600.0
"""Maximum time to wait for a locked sqlite file, in seconds."""
FIRST_MESSAGE_SECONDS, MESSAGE_SECONDS = 3.0, 30.0
"""Time after which a locked file is reported, and time between two messages about it."""
RETRY_SECONDS = 1.0

Result = TypeVar("Result")


class DeadlineError(FramelightError):
    """Error when a server does not complete its answer in time."""


class DatabaseLockedError(FramelightError):
    """Error when another process does not release its lock on a sqlite file in time."""


class BoundedClient:
    """MLflow's client at a location; its methods have the time limits of this module.

    Parameters
    ----------
    location : Location
    make_client : callable
        Called with the URI of the location.
    """

    def __init__(self, location: Location, make_client: Callable[[str], Any]) -> None:
        self._location = location
        self._client = self.bounded(lambda: make_client(location.uri))

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if not callable(method):
            return method
        return lambda *args, **options: self.bounded(
            lambda: method(*args, **options), TRANSFER_SECONDS if name in TRANSFERS else CALL_SECONDS
        )

    def ping(self) -> None:
        """Ask for one experiment; raise an error if there is no answer within `PING_SECONDS`."""
        self.bounded(lambda: self._client.search_experiments(max_results=1), PING_SECONDS)

    def bounded(self, call: Callable[[], Result], limit_s: float = CALL_SECONDS) -> Result:
        """Call MLflow with the time limit that applies at the location."""
        if self._location.server:
            return call_with_deadline(call, limit_s, self._location.uri)
        database = self._location.database
        if database is not None:
            reporter = LockReporter(database)
            with reporter.watch():
                return call_when_unlocked(call, database, reporter)
        return call()


def call_with_deadline(call: Callable[[], Result], limit_s: float, server: str) -> Result:
    """Call a function in a daemon thread, which is abandoned after a time limit and does not keep the process alive.

    Raises
    ------
    DeadlineError
        If the function has not returned after `limit_s` seconds.
    """
    outcome: list[tuple[bool, Any]] = []

    def run() -> None:
        try:
            outcome.append((True, call()))
        except BaseException as error:  # raised again in the calling thread
            outcome.append((False, error))

    thread = threading.Thread(target=run, name="framelight-tracking", daemon=True)
    thread.start()
    thread.join(limit_s)
    if not outcome:
        raise DeadlineError(
            f"the MLflow server at {server} did not complete its answer within {limit_s:g} s; "
            "check the server and the network"
        )
    succeeded, value = outcome[0]
    if not succeeded:
        raise value
    return cast("Result", value)


class LockReporter:
    """Logs from time to time that a sqlite file is locked, and by which processes.

    Parameters
    ----------
    database : Path
    """

    def __init__(self, database: Path) -> None:
        self.database = database
        self._start = time.monotonic()
        self._next = self._start + FIRST_MESSAGE_SECONDS

    @property
    def holders(self) -> str:
        """Processes that have locked the file."""
        return ", ".join(lock_holders(self.database)) or "another process"

    def report(self) -> float:
        """Log that the file is locked, if a message is due; return the seconds since the reporter was created."""
        now = time.monotonic()
        if now >= self._next:
            self._next = now + MESSAGE_SECONDS
            logger.info(f"waiting: the database {self.database} is locked by {self.holders}")
        return now - self._start

    @contextmanager
    def watch(self) -> Iterator[None]:
        """Context manager that reports in a thread while a call runs, since sqlite waits for a lock silently."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(FIRST_MESSAGE_SECONDS):
                if _is_locked(self.database):
                    self.report()

        threading.Thread(target=run, name="framelight-lock", daemon=True).start()
        try:
            yield
        finally:
            done.set()


def call_when_unlocked(call: Callable[[], Result], database: Path, reporter: LockReporter | None = None) -> Result:
    """Call a function, and repeat the call while it fails because another process has locked a sqlite file.

    Raises
    ------
    DatabaseLockedError
        If the file is locked for more than `DATABASE_SECONDS`.
    """
    reporter = reporter or LockReporter(database)
    while True:
        try:
            return call()
        except Exception as error:  # MLflow replaces the class of sqlite's error, but keeps its message
            if not is_lock_error(error) or getattr(error, "sqlite_errorname", "") == "SQLITE_BUSY_SNAPSHOT":
                raise
            waited = reporter.report()
            if waited > DATABASE_SECONDS:
                raise DatabaseLockedError(
                    f"the database {database} has been locked by {reporter.holders} for {waited:.0f} s; wait for it "
                    "or end it, then run the command again"
                ) from error
            time.sleep(RETRY_SECONDS)


def _is_locked(database: Path) -> bool:
    """Return whether another process has locked a sqlite file, so that this process cannot write it."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(database))}?mode=rw", uri=True, timeout=0)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            return False
    except sqlite3.Error as error:
        return is_lock_error(error) and not is_written_by_this_process(database)
