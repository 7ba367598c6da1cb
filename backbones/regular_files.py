"""Open regular files only: opening a named pipe can block forever, and reading a device may never end."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import stat
from pathlib import Path

FLAGS = os.O_RDONLY
for _name in ("O_NONBLOCK", "O_CLOEXEC", "O_BINARY"):
    FLAGS |= getattr(os, _name, 0)
"""Flags that open a file without blocking on a named pipe; Windows has only O_BINARY, other systems the rest."""


def open_regular(path: str | os.PathLike[str]) -> io.BufferedReader:
    """Open a regular file for reading, without waiting.

    Parameters
    ----------
    path : path
        A file, or a symbolic link to one.

    Returns
    -------
    BufferedReader

    Raises
    ------
    OSError
        If the file cannot be opened, or is a folder, named pipe, socket or device.
    """
    handle = os.open(path, FLAGS)
    try:
        _require_regular(os.fstat(handle).st_mode, path)
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise


def hash_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 hex digest of a regular file; raise OSError like `open_regular`."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def require_regular(path: Path | str) -> None:
    """Raise OSError if a path is not a regular file or a link to one; for libraries that open a file by its path."""
    _require_regular(Path(path).stat().st_mode, path)


def read_regular(path: Path | str, limit: int | None = None) -> bytes:
    """Read a regular file.

    Parameters
    ----------
    path : path
    limit : int, optional
        Largest size in bytes. Default: no limit.

    Raises
    ------
    OSError
        If the file cannot be read, is not a regular file, or is larger than `limit`.
    """
    handle = os.open(path, FLAGS)  # no file object, for speed: this is called for each frame
    try:
        status = os.fstat(handle)
        _require_regular(status.st_mode, path)
        size = status.st_size
        if limit is not None and size > limit:
            raise OSError(errno.EFBIG, f"the file has {size:,} bytes; at most {limit:,} are read", str(path))
        data = os.read(handle, size)
        while len(data) < size and (part := os.read(handle, size - len(data))):
            data += part
        return data
    finally:
        os.close(handle)


def read_regular_text(path: Path | str, encoding: str = "utf-8", limit: int | None = None) -> str:
    """Read a regular text file with universal newlines.

    Raises OSError like `read_regular`, and UnicodeDecodeError if the file is not in `encoding`.
    """
    return read_regular(path, limit).decode(encoding).replace("\r\n", "\n").replace("\r", "\n")


def _require_regular(mode: int, path: str | os.PathLike[str]) -> None:
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "not a regular file, but a named pipe, socket or device", str(path))
