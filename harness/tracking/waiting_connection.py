"""Connection to a sqlite file that waits while another process has locked the file, and logs that it waits."""

from __future__ import annotations

import sqlite3
from functools import partial
from pathlib import Path
from typing import Any, cast

from harness.tracking.bounded_client import call_when_unlocked

TIMEOUT_SECONDS = 2.0
"""Time, in seconds, for which sqlite itself waits for a lock silently."""


def connect_options(database: Path) -> dict[str, Any]:
    """Return options of `sqlite3.connect` that make statements and commits wait while a file is locked.

    Parameters
    ----------
    database : Path
        The file, for messages.

    Returns
    -------
    dict
        Keyword arguments. The connection raises the errors of `harness.tracking.bounded_client.call_when_unlocked`.
    """
    return {"timeout": TIMEOUT_SECONDS, "factory": partial(WaitingConnection, waits_for=database)}


class WaitingConnection(sqlite3.Connection):
    """Connection whose commits and statements wait while the file is locked."""

    def __init__(self, *args: Any, waits_for: Path, **options: Any) -> None:
        self.waits_for = waits_for
        super().__init__(*args, **options)

    def commit(self) -> None:
        """Commit when the file is not locked."""
        call_when_unlocked(super().commit, self.waits_for)

    def cursor(self, factory: Any = None) -> Any:
        """Open a cursor whose statements wait while the file is locked."""
        return super().cursor(factory or WaitingCursor)

    def execute(self, *args: Any) -> sqlite3.Cursor:
        """Execute a statement in a new cursor."""
        return cast("sqlite3.Cursor", self.cursor().execute(*args))


class WaitingCursor(sqlite3.Cursor):
    """Cursor of a `WaitingConnection`."""

    def execute(self, *args: Any) -> WaitingCursor:
        """Execute a statement when the file is not locked."""
        execute = super().execute
        call_when_unlocked(lambda: execute(*args), cast("WaitingConnection", self.connection).waits_for)
        return self
