"""Files and folders that are written under a temporary name and renamed, so that no reader meets half of one."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backbones.errors import WriteError

SUFFIX = ".aside"
"""Of temporary files and folders, whose names begin with a dot."""
AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Constants of renameat2(2); Python offers no call of its own for it."""


@contextmanager
def temp_file(path: Path) -> Iterator[Path]:
    """Yield an empty temporary file beside `path`; on success it becomes `path`, on failure it is removed.

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
        os.replace(tmp_path, path)
    finally:
        tmp_path.unlink(missing_ok=True)


@contextmanager
def temp_dir(path: Path, replace: bool) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it becomes `path`, on failure it is removed.

    Parameters
    ----------
    path : Path
        The folder.
    replace : bool
        Whether a folder that is at `path` by then is replaced; otherwise it stays and the new one is removed. Where
        the system can exchange two names in one step (Linux), there is a folder at `path` at every moment.

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
            os.rename(tmp_path, path)
        except OSError as error:
            if replace or error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    finally:
        shutil.rmtree(tmp_path, ignore_errors=True)


@contextmanager
def atomic_write_dir(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it replaces `path`. Raises WriteError."""
    with _raise_write_error(path), temp_dir(Path(path), replace=True) as tmp_path:
        yield tmp_path


def atomic_write(path: Path, text: str) -> None:
    """Write a text file in one step. Raises WriteError."""
    with _raise_write_error(path), temp_file(Path(path)) as tmp_path:
        tmp_path.write_text(text, encoding="utf-8")


def _exchange(path: Path, other: Path) -> None:
    if _try_atomic_exchange(path, other):
        return
    old = other.with_suffix(".old")
    os.rename(path, old)
    try:
        os.rename(other, path)
    except OSError:
        os.rename(old, path)
        raise
    os.rename(old, other)


def _try_atomic_exchange(one: Path, other: Path) -> bool:
    """Exchange two names in one step, where the C library and the file system can."""
    import ctypes

    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0


@contextmanager
def _raise_write_error(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}", "choose another folder") from error
