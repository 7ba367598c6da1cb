"""Names, permissions and groups of temporary files and folders next to their final paths."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

SUFFIX = ".aside"
"""Suffix of temporary files and folders, whose names begin with a dot."""
DISPLACED = f".displaced{SUFFIX}"
"""Suffix of folders that hold the old folder during a replacement, where the system cannot exchange two names."""
PREFIX_BYTES = 80
"""Largest number of bytes of a file name that its temporary name repeats; file systems limit names to 255 bytes."""
ATTEMPTS = 100
"""Largest number of attempts to find a temporary name that does not exist."""


def cut_to_bytes(name: str, limit: int) -> str:
    """Return the longest start of a file name that has at most `limit` bytes on disk; characters stay whole.

    Examples
    --------
    >>> cut_to_bytes("Jos\u00e9.txt", 5), cut_to_bytes("Jos\u00e9.txt", 4)
    ('Jos\u00e9', 'Jos')
    """
    cut = name[:limit]
    while len(os.fsencode(cut)) > limit:
        cut = cut[:-1]
    return cut


def temp_prefix(name: str) -> str:
    """Return the prefix of the temporary names of a file or folder."""
    return f".{cut_to_bytes(name, PREFIX_BYTES)}."


def create_temp(path: Path, suffix: str, create: Callable[[Path], None]) -> Path:
    """Create a file or folder with a new name next to `path`; others may read it, unlike the files of `tempfile`."""
    for _ in range(ATTEMPTS):
        new = path.parent / f"{temp_prefix(path.name)}{os.urandom(4).hex()}{suffix}"
        with suppress(FileExistsError):
            create(new)
            return new
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), os.fspath(path))


def restore_permissions(path: Path, created: os.stat_result) -> None:
    """Restore the permissions and group of a new file, in case a library has replaced the file by a private one."""
    written = path.stat()
    if written.st_mode != created.st_mode:
        path.chmod(stat.S_IMODE(created.st_mode))
    if written.st_gid != created.st_gid:
        with suppress(OSError):
            os.chown(path, -1, created.st_gid)
