"""Write files and folders under a temporary name and rename them, so that readers never see partial content."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from backbones.errors import WriteError
from backbones.temp_names import DISPLACED, SUFFIX, create_temp, restore_permissions, temp_prefix

MAX_EXCHANGES = 100
"""Largest number of attempts to exchange two folders; an attempt fails if another process puts the old folder back."""
AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Constants of renameat2(2), which Python's standard library does not wrap."""


@contextmanager
def temp_file(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file next to `path`; on success it is renamed to `path`, on failure it is removed.

    The file has the permissions and the group of any new file in the folder, see umask(2) and the setgid bit.

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
    tmp_path = create_temp(path, SUFFIX, lambda new: new.touch(exist_ok=False))
    try:
        created = tmp_path.stat()
        yield tmp_path
        restore_permissions(tmp_path, created)
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
        Whether the new folder replaces an existing one at `path`. If False, the existing folder stays and the new one
        is removed. Where the system can exchange two names atomically (Linux), `path` exists at every moment
        during the replacement. Elsewhere it is absent for a moment; if the process is killed in that moment, the next
        use of the folder puts it back, see `restore_displaced`.

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
    restore_displaced(path.parent, path.name)
    tmp_path = create_temp(path, SUFFIX, Path.mkdir)
    try:
        yield tmp_path
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


def restore_displaced(folder: Path, name: str = "") -> None:
    """Put back folders that an unfinished replacement has displaced, for example in a killed process.

    Parameters
    ----------
    folder : Path
        The parent of the folders to put back; it need not exist.
    name : str, default=""
        Name of the folder to put back; by default, all are put back.
    """
    start = temp_prefix(name) if name else "."
    with suppress(OSError), os.scandir(folder) as entries:
        for path in [Path(entry.path) for entry in entries if entry.name.endswith(DISPLACED)]:
            if path.name.startswith(start):
                put_back(path)


def put_back(displaced: Path) -> bool:
    """Move the content of a folder with the suffix `DISPLACED` to its parent, except names that are in use there.

    Parameters
    ----------
    displaced : Path
        The folder.

    Returns
    -------
    bool
        Whether the displaced folder can be removed: every name left in it is in use in its parent.
    """
    with suppress(OSError):
        for old in displaced.iterdir():
            path = displaced.parent / old.name
            if not os.path.lexists(path):
                with suppress(OSError):  # a process that replaces the folder was faster
                    old.rename(path)
        if all(os.path.lexists(displaced.parent / old.name) for old in displaced.iterdir()):
            return True
    return False


def _exchange(path: Path, tmp_path: Path) -> None:
    """Replace a folder by another; without renameat2(2), `path` is absent for a moment."""
    if _try_atomic_exchange(path, tmp_path):
        return
    for _ in range(MAX_EXCHANGES):
        displaced = create_temp(path, DISPLACED, Path.mkdir)
        old_path = displaced / path.name
        try:
            path.rename(old_path)
            tmp_path.rename(path)
            return
        except OSError:
            if old_path.exists() or not path.exists():
                raise
            # a reader has put the old folder back in the meantime
        finally:
            if put_back(displaced):
                shutil.rmtree(displaced, ignore_errors=True)
    raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), os.fspath(path))


def _try_atomic_exchange(first: Path, second: Path) -> bool:
    """Exchange two names in one step; return False if the C library or the file system cannot."""
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
