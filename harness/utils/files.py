"""Files and folders that appear whole or not at all, and hashes of files."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backbones.atomic_files import SUFFIX, temp_dir, temp_file
from harness.utils.errors import FramelightError

ABANDONED_SECONDS = 3600


@contextmanager
def _explain_write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = ""
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            hint = "; choose another store with --store DIR, or for what goes to --out another place"
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        why = "the disk is full; free some space and run the command again" if full else error.strerror or error
        raise FramelightError(f"cannot write {path}: {why}{hint}") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; on success it becomes `path`, on failure it is removed."""
    with _explain_write_errors(path), temp_file(Path(path)) as tmp_path:
        yield tmp_path


@contextmanager
def atomic_write_dir(path: Path, replace: bool = False) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it becomes `path`.

    replace: what to do with a folder that another process has put at `path` meanwhile. By default it is kept:
    entries are content-addressed.
    """
    with _explain_write_errors(path), temp_dir(Path(path), replace) as tmp_path:
        yield tmp_path


def write_text(path: Path, text: str) -> None:
    with atomic_write(path) as tmp_path:
        tmp_path.write_text(text, encoding="utf-8")


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
            aside = [entry for entry in entries if entry.name.startswith(start) and entry.name.endswith(SUFFIX)]
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
