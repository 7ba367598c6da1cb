"""MLflow's client with bounds: calls to a server end at a deadline, calls to a locked sqlite file are repeated."""

from __future__ import annotations

import errno
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from harness.tracking.location import Location
from harness.utils.errors import FramelightError

logger = logging.getLogger(__name__)

CALL_SECONDS, TRANSFER_SECONDS = 300.0, 3600.0
"""Time limits of a call to a server, and of one that sends or receives files, in seconds. MLflow itself limits only the
time between two bytes, so that a server that sends one byte at a time could hold a run forever."""
PING_SECONDS = 15.0
"""Time limit of the check whether a server answers."""
TRANSFERS = frozenset(("download_artifacts", "log_artifact", "log_artifacts", "log_model_artifacts"))
DATABASE_SECONDS = 600.0
"""Time for which a locked sqlite file is waited for."""
MESSAGE_SECONDS = 30.0
"""Time between two messages about a locked file."""
RETRY_SECONDS = 1.0

Result = TypeVar("Result")


class DeadlineError(FramelightError):
    """Error when a server does not complete its answer in time."""


class DatabaseLockedError(FramelightError):
    """Error when another process does not release its lock on a sqlite file in time."""


class BoundedClient:
    """MLflow's client at a location; its methods have the bounds of this module.

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
        """Call MLflow within the bounds of the location."""
        if self._location.server:
            return call_with_deadline(call, limit_s, self._location.uri)
        if self._location.database is not None:
            return call_when_unlocked(call, self._location.database)
        return call()


def call_with_deadline(call: Callable[[], Result], limit_s: float, server: str) -> Result:
    """Call a function in a thread that is abandoned after a time; it does not keep the process alive.

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


def call_when_unlocked(call: Callable[[], Result], database: Path) -> Result:
    """Call a function again while it fails because another process has locked a sqlite file.

    Raises
    ------
    DatabaseLockedError
        If the file is locked for more than `DATABASE_SECONDS`.
    """
    start = last_message = time.monotonic()
    while True:
        try:
            return call()
        except Exception as error:  # MLflow replaces the class of sqlite's error, but keeps its message
            if not is_lock_error(error):
                raise
            waited = time.monotonic() - start
            holders = lock_holders(database)
            shown = f" by {', '.join(holders)}" if holders else " by another process"
            if waited > DATABASE_SECONDS:
                raise DatabaseLockedError(
                    f"the database {database} has been locked{shown} for {waited:.0f} s; wait for it or end it, "
                    "then run the command again"
                ) from error
            if last_message == start or time.monotonic() - last_message > MESSAGE_SECONDS:
                logger.info(f"waiting: the database {database} is locked{shown}")
                last_message = time.monotonic()
            time.sleep(RETRY_SECONDS)


def is_lock_error(error: BaseException) -> bool:
    """Return whether an error says that a sqlite file is locked."""
    return "database is locked" in str(error) or "database table is locked" in str(error)


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or one that caused it, says that there is no room."""
    while error is not None:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT) or "disk is full" in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False


def lock_holders(path: Path) -> list[str]:
    """Name the processes that have locked a file, as far as Linux shows them."""
    try:
        inode = path.stat().st_ino
        fields = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return []
    pids = {row[4] for row in fields if len(row) > 5 and row[1] != "->" and row[5].endswith(f":{inode}")}
    return [f"process {pid}{_process_name(pid)}" for pid in sorted(pids, key=int) if int(pid) > 0]


def _process_name(pid: str) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f" ({''.join(c if c.isprintable() else '?' for c in name)})"
