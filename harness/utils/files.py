"""Atomic writes of files and folders, file hashes and removal of stale temporary files."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from backbones.atomic_files import put_back, temp_dir, temp_file
from backbones.temp_names import DISPLACED, SUFFIX, temp_prefix
from harness.utils.disk_space import full_disk, is_disk_full
from harness.utils.errors import FramelightError

ABANDONED_SECONDS = 3600
"""Age from which a temporary file is considered left behind by a killed process."""


@contextmanager
def explain_write_errors(path: Path) -> Iterator[None]:
    """Turn an `OSError`, and any error caused by a full disk, into a FramelightError that says what to do."""
    try:
        yield
    except FramelightError:
        raise
    except Exception as error:
        if is_disk_full(error):
            raise FramelightError(f"cannot write {path}: {'; '.join(full_disk(path))}") from error
        if not isinstance(error, OSError):
            raise
        hint = ""
        if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
            hint = "; choose another store with --store DIR, or another output folder with --out DIR"
        raise FramelightError(f"cannot write {path}: {error.strerror or error}{hint}") from error


@contextmanager
def atomic_write(path: Path) -> Iterator[Path]:
    """Write a file atomically.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        Temporary file next to `path`, which replaces `path` on success and is removed on failure.

    Raises
    ------
    FramelightError
        If the file cannot be written.
    """
    with explain_write_errors(path), temp_file(Path(path)) as tmp_path:
        yield tmp_path


@contextmanager
def atomic_write_dir(path: Path, replace: bool = False) -> Iterator[Path]:
    """Write a folder atomically.

    Parameters
    ----------
    path : Path
    replace : bool, default=False
        Whether to replace a folder that exists at `path` on success. By default that folder stays and the new one is
        removed, since in a store both have the same content.

    Yields
    ------
    Path
        Temporary folder next to `path`, which becomes `path` on success and is removed on failure.

    Raises
    ------
    FramelightError
        If the folder cannot be written.
    """
    with explain_write_errors(path), temp_dir(Path(path), replace) as tmp_path:
        yield tmp_path


def file_version(path: Path) -> tuple[str, int, int]:
    """Return name, size and modification time of a file; (name, -1, 0) for a broken link or an inaccessible file."""
    try:
        stat = path.stat()
    except OSError:
        return path.name, -1, 0
    return path.name, stat.st_size, stat.st_mtime_ns


def write_text(path: Path, text: str) -> None:
    """Write text in UTF-8 to a file, atomically."""
    with atomic_write(path) as tmp_path:
        tmp_path.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON with sorted keys to a file, atomically."""
    write_text(path, json.dumps(value, indent=1, sort_keys=True) + "\n")


def remove_stale_temp_files(folder: Path, older_than_s: float = ABANDONED_SECONDS, of: str = "") -> None:
    """Remove temporary files and folders that killed processes have left in a folder.

    A folder that was moved aside to be replaced is put back if nothing else has its name.

    Parameters
    ----------
    folder : Path
    older_than_s : float, default=3600
        Minimum age in seconds; younger files are kept, since another process may be writing them.
    of : str, default=""
        Name of the file or folder whose temporary files are removed. Default: all temporary files are removed.
    """
    start = temp_prefix(of) if of else "."
    try:
        with os.scandir(folder) as entries:
            stale = [entry for entry in entries if entry.name.startswith(start) and entry.name.endswith(SUFFIX)]
    except OSError:
        return
    for entry in stale:
        with suppress(OSError):
            if time.time() - entry.stat(follow_symlinks=False).st_mtime <= older_than_s:
                continue
            if entry.name.endswith(DISPLACED) and not put_back(Path(entry.path)):
                continue
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path, ignore_errors=True)
            else:
                Path(entry.path).unlink()
