"""Write files and folders under a temporary name and rename them, so that readers never see partial content."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backbones.errors import WriteError

SUFFIX = ".aside"
"""Suffix of temporary files and folders, whose names begin with a dot."""
AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Constants of renameat2(2), which Python's standard library does not wrap."""


@contextmanager
def temp_file(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file next to `path`; on success it is renamed to `path`, on failure it is removed.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created if needed.

    Yields
    ------
    Path
        The temporary file.

    Raises
    ------
    OSError
        If a file or folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=SUFFIX, dir=path.parent)
    os.close(handle)
    tmp_path = Path(name)
    try:
        yield tmp_path
        tmp_path.chmod(0o644)
        tmp_path.replace(path)
    finally:
        tmp_path.unlink(missing_ok=True)


@contextmanager
def temp_dir(path: Path, replace: bool) -> Iterator[Path]:
    """Yield a temporary folder next to `path`; on success it is renamed to `path`, on failure it is removed.

    Parameters
    ----------
    path : Path
        The folder to write; its parent is created if needed.
    replace : bool
        Whether to replace a folder that exists at `path` at the end. If False, the existing folder stays and the new
        one is removed. Where the system can exchange two names atomically (Linux), `path` exists at every moment
        during the replacement.

    Yields
    ------
    Path
        The temporary folder.

    Raises
    ------
    OSError
        If a file or folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp_path = Path(tempfile.mkdtemp(prefix=f".{path.name[:80]}.", suffix=SUFFIX, dir=path.parent))
    try:
        yield tmp_path
        tmp_path.chmod(0o755)
        if replace and path.exists():
            _exchange(path, tmp_path)
            return
        try:
            tmp_path.rename(path)
        except OSError as error:
            if replace or error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)


@contextmanager
def atomic_write_dir(path: Path) -> Iterator[Path]:
    """Yield a temporary folder next to `path`; on success it replaces `path`, on failure it is removed.

    Parameters
    ----------
    path : Path
        The folder to write.

    Yields
    ------
    Path
        The temporary folder.

    Raises
    ------
    WriteError
        If a file or folder cannot be written.
    """
    with _raise_write_error(path), temp_dir(Path(path), replace=True) as tmp_path:
        yield tmp_path


def atomic_write(path: Path, text: str) -> None:
    """Write a UTF-8 text file atomically.

    Parameters
    ----------
    path : Path
        The file to write; an existing one is replaced.
    text : str
        Its content.

    Raises
    ------
    WriteError
        If the file cannot be written.
    """
    with _raise_write_error(path), temp_file(Path(path)) as tmp_path:
        tmp_path.write_text(text, encoding="utf-8")


def _exchange(path: Path, tmp_path: Path) -> None:
    """Exchange two folders; without renameat2(2), `path` is absent for a moment."""
    if _try_atomic_exchange(path, tmp_path):
        return
    old_path = tmp_path.with_suffix(f".old{SUFFIX}")
    with suppress(OSError):
        os.utime(path)  # the cleanup of stale temporary folders spares recent ones
    path.rename(old_path)
    try:
        tmp_path.rename(path)
    except OSError:
        old_path.rename(path)
        raise
    old_path.rename(tmp_path)


def _try_atomic_exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step, if the C library and the file system can."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return bool(renameat2(AT_FDCWD, os.fsencode(first), AT_FDCWD, os.fsencode(second), RENAME_EXCHANGE) == 0)


@contextmanager
def _raise_write_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}", "choose another folder") from error
