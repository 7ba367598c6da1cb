"""Files written aside and renamed, so that a checkpoint or cache killed while being written is never half there."""

from __future__ import annotations

import ctypes
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backbones.errors import WriteError

AT_FDCWD, RENAME_EXCHANGE = -100, 2
"""Constants of renameat2(2); Python offers no call of its own for it."""


@contextmanager
def atomic_write_dir(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path`; on success it takes the place of `path` and of what was there.

    Where the system can exchange two names in one step (Linux), there is a folder at `path` at every moment.
    """
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=f".{path.name[:80]}.", suffix=".aside", dir=path.parent))
        try:
            yield aside
            aside.chmod(0o755)
            if path.exists():
                _replace(path, aside)
            else:
                os.rename(aside, path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def _replace(path: Path, aside: Path) -> None:
    """Put `aside` at `path` and what was there at `aside`."""
    if _exchanged(path, aside):
        return
    old = aside.with_suffix(".old")
    os.rename(path, old)
    try:
        os.rename(aside, path)
    except OSError:
        os.rename(old, path)
        raise
    os.rename(old, aside)


def _exchanged(one: Path, other: Path) -> bool:
    """Exchange two names in one step, where the C library and the file system can."""
    try:
        renameat2 = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0


def atomic_write(path: Path, text: str) -> None:
    """Write a text file aside and rename it."""
    path = Path(path)
    with _explained(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, aside = tempfile.mkstemp(prefix=f".{path.name[:80]}.", suffix=".aside", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(aside, 0o644)
            os.replace(aside, path)
        finally:
            Path(aside).unlink(missing_ok=True)


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise WriteError(f"cannot write {path}: {error.strerror or error}", "choose another folder") from error
