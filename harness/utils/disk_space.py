"""Recognize errors that report a full disk, and find which disk is full."""

from __future__ import annotations

import errno
import math
import os
from collections.abc import Iterator
from pathlib import Path

FULL = (errno.ENOSPC, errno.EDQUOT)


def error_chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error and the errors that caused it, including errors that SQLAlchemy wraps."""
    seen: set[int] = set()
    queue = [error]
    while queue:
        error = queue.pop(0)
        if error is not None and id(error) not in seen:
            seen.add(id(error))
            yield error
            queue += [getattr(error, "orig", None), error.__cause__, error.__context__]


def is_disk_full(error: BaseException | None) -> bool:
    """Return whether an error, or an error that caused it, reports a full disk."""
    return any(
        getattr(cause, "errno", None) in FULL
        or any(text in str(cause) for text in ("disk is full", "No space left on device"))
        for cause in error_chain(error)
    )


def full_disk(path: Path | None = None) -> tuple[str, str]:
    """Describe which disk is full (that of a path or that of temporary files) and what to do.

    The disk with less free space is reported. Its free space is often not zero, because the data that did not fit have
    already been removed.

    Parameters
    ----------
    path : Path, optional
        Path that was to be written. Default: the current folder.

    Returns
    -------
    reason, advice : str
    """
    import tempfile  # imported here to keep --help fast

    folder, temporary = _existing(Path.cwd() if path is None else Path(path).absolute()), Path(tempfile.gettempdir())
    if folder.stat().st_dev != temporary.stat().st_dev and _free_bytes(temporary) < _free_bytes(folder):
        return (
            f"the disk of the folder of temporary files, {temporary}, is full",
            "free some space there, or set TMPDIR to a folder with room, and run the command again",
        )
    return "the disk is full", "free some space and run the command again"


def _existing(path: Path) -> Path:
    # for a folder that may not be read, os.path.exists returns False, but Path.exists raises an error
    return next(folder for folder in (path, *path.parents) if os.path.exists(folder))  # noqa: PTH110


def _free_bytes(folder: Path) -> float:
    """Return how many bytes this user may still write; limited by the free bytes and by the number of free files."""
    try:
        status = os.statvfs(folder)
    except (AttributeError, OSError):
        return math.inf
    files = status.f_favail * status.f_bsize if status.f_files else math.inf
    return min(status.f_bavail * status.f_frsize, files) if status.f_blocks else math.inf
