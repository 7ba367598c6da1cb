"""Files written aside and renamed, so that a reader never meets half of one."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from harness.utils.errors import FramelightError

ABANDONED_SECONDS = 3600


def _explain(error: OSError, path: Path) -> FramelightError:
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return FramelightError(f"cannot write {path}: {error.strerror}; choose another store with "
                               "--store DIR, or for what goes to --out another place")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return FramelightError(f"cannot write {path}: the disk is full; free some space and run the command again")
    return FramelightError(f"cannot write {path}: {error.strerror or error}")


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it is removed."""
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".aside", dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise _explain(error, path) from error
    aside = Path(name)
    try:
        yield aside
        aside.chmod(0o644)
        os.replace(aside, path)
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        aside.unlink(missing_ok=True)


@contextmanager
def atomic_write_dir(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it becomes `path`.

    Where another process has put `path` there meanwhile, its version is kept: entries are content-addressed.
    """
    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name[:80]}.", suffix=".aside", dir=path.parent))
    except OSError as error:
        raise _explain(error, path) from error
    try:
        yield aside
        aside.chmod(0o755)
        try:
            os.rename(aside, path)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
    except OSError as error:
        raise _explain(error, path) from error
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def sha256(path: Path) -> str:
    """Hex digest of what the file holds; OSError where it cannot be read."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove_stale_temp_files(folder: Path, older_than_s: float = ABANDONED_SECONDS, of: str = "") -> None:
    """Remove what killed processes left aside in `folder`; what is young may be another's present work.

    of: the name of the one file or folder whose leftovers go; "": of all.
    """
    start = f".{of[:80]}." if of else "."
    try:
        with os.scandir(folder) as entries:
            aside = [entry for entry in entries if entry.name.startswith(start) and entry.name.endswith(".aside")]
    except OSError:
        return
    for entry in aside:
        with suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime <= older_than_s:
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                os.unlink(entry.path)
