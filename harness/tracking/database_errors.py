"""Explain database errors in plain words. SQLAlchemy and MLflow wrap the sqlite error that states the reason."""

from __future__ import annotations

import errno
import os
import re
import sqlite3
from pathlib import Path
from typing import Any

from harness.utils.disk_space import error_chain, full_disk, is_disk_full

_NOT_READABLE = "restore a backup, or move it away and run the command again; finished jobs are not computed again"
_NOT_WRITABLE = (
    "let its owner share the store with your group (umask 002, folders with setgid), or choose another store with "
    "--store DIR"
)
_REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_DRIVER_ERROR = re.compile(r"^\s*\(([\w.]+\.\w*(?:Error|Exception|Warning))\) *")
"""Class of a driver's error, as SQLAlchemy writes it at the start of a line."""


def is_lock_error(error: BaseException) -> bool:
    """Return whether an error, or one that caused it, says that a sqlite file is locked by another process."""
    return any(
        "database is locked" in str(cause) or "database table is locked" in str(cause) for cause in error_chain(error)
    )


def explain(error: BaseException, database: Path | None, advice: str) -> tuple[str, str]:
    """Explain why a database cannot be used.

    Parameters
    ----------
    error : BaseException
        An error of MLflow, SQLAlchemy, Optuna or sqlite.
    database : Path or None
        The sqlite file; None for another database or a server.
    advice : str
        What to do if this function does not recognize the reason.

    Returns
    -------
    reason : str
        Reason on one line, at most 200 characters unless it contains a path.
    advice : str
        What to do.
    """
    if is_disk_full(error):
        return full_disk(database)
    if database is None:
        return first_line(error), advice
    if is_lock_error(error):
        holders = ", ".join(lock_holders(database)) or "another process"
        return f"locked by {holders}", "wait for it or end it, then run the command again"
    cause = next((cause for cause in error_chain(error) if isinstance(cause, sqlite3.Error)), None)
    name, text = getattr(cause, "sqlite_errorname", None) or "", str(cause)
    refused: Any = next((cause for cause in error_chain(error) if getattr(cause, "errno", None) in _REFUSED), None)
    if name.startswith("SQLITE_READONLY") or "readonly database" in text:
        return f"no permission to write {_unwritable(database)}", _NOT_WRITABLE
    if refused is not None:
        return f"{refused.strerror}: {refused.filename or database}", _NOT_WRITABLE
    if name.startswith("SQLITE_CANTOPEN") or "unable to open database file" in text:
        if not database.parent.is_dir():
            return f"there is no folder {database.parent}", "create it or correct the path"
        return f"unable to open {database}", "check the permissions of the file and its folder"
    if name.startswith(("SQLITE_NOTADB", "SQLITE_CORRUPT")) or "malformed" in text or "not a database" in text:
        return "it is damaged or not a sqlite database", _NOT_READABLE
    if (name.startswith("SQLITE_IOERR") and "LOCK" in name) or "locking protocol" in text:
        return "its file system has no file locks", "choose a store on a local disk, or a server with --tracking-uri"
    return first_line(cause or error), advice


def first_line(error: BaseException) -> str:
    """Return the line of an error's message that states the reason, at most 200 characters.

    This is the line of the driver's error if SQLAlchemy has wrapped one, else the first line that is not empty.
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    reasons = [_DRIVER_ERROR.sub("", line) for line in lines if _DRIVER_ERROR.match(line)]
    return next(filter(None, [*reasons, *lines]), type(error).__name__)[:200]


def lock_holders(path: Path) -> list[str]:
    """Name the other processes that have locked a file, as far as Linux shows them."""
    pids = {pid for pid, _ in _locks(path)} - {os.getpid()}
    return [f"process {pid}{_process_name(pid)}" for pid in sorted(pids) if pid > 0]


def is_written_by_this_process(path: Path) -> bool:
    """Return whether this process holds the write lock of a sqlite file, as far as Linux shows it."""
    return (os.getpid(), "WRITE") in _locks(path)


def _locks(path: Path) -> list[tuple[int, str]]:
    """Return the process id and kind (`READ` or `WRITE`) of each lock of a file; requests for locks are left out."""
    try:
        inode = path.stat().st_ino
        fields = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    except (OSError, ValueError):
        return []
    return [(int(row[4]), row[3]) for row in fields if len(row) > 5 and row[1] != "->" and row[5].endswith(f":{inode}")]


def _process_name(pid: int) -> str:
    try:
        name = Path(f"/proc/{pid}/comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:
        return ""
    return f" ({''.join(c if c.isprintable() else '?' for c in name)})"


def _unwritable(database: Path) -> Path:
    """Return the file or folder that must be writable and is not; sqlite writes its journal next to the database."""
    journals = [Path(f"{database}{suffix}") for suffix in ("-journal", "-wal", "-shm", ".lock")]
    candidates = [database, *(path for path in journals if path.exists()), database.parent]
    return next((path for path in candidates if not os.access(path, os.W_OK)), database)
