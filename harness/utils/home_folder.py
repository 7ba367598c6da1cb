"""Temporary folder for the caches of libraries, if the user has no home folder or cannot write to it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import sys
from pathlib import Path

PREFIX = "framelight-home-"
"""Start of the name of a temporary home folder."""


def has_temporary_home() -> bool:
    """Return whether HOME is a temporary folder from `provide_home`, in which no files of the user may be stored."""
    return Path(os.environ.get("HOME", "")).name.startswith(PREFIX)


def provide_home() -> None:
    """Set HOME and MPLCONFIGDIR to a temporary folder if libraries would fail or warn without them.

    A user id without an entry in the user database, as in containers, has no home folder, so that MLflow cannot be
    imported. Matplotlib warns on each import if it cannot write its settings. The temporary folder is removed when this
    process ends.
    """
    with contextlib.suppress(OSError):  # no folder for temporary files can be written either
        try:
            home = Path.home()
        except RuntimeError:
            home = _temporary_folder()
            os.environ["HOME"] = str(home)
        if not os.environ.get("MPLCONFIGDIR") and not all(map(_can_create, _matplotlib_folders(home))):
            os.environ["MPLCONFIGDIR"] = str(_temporary_folder())


def _matplotlib_folders(home: Path) -> list[Path]:
    """Return the folders of matplotlib's settings and of its cache."""
    if not sys.platform.startswith(("linux", "freebsd")):
        return [home / ".matplotlib"]
    bases = {"XDG_CONFIG_HOME": home / ".config", "XDG_CACHE_HOME": home / ".cache"}
    return [Path(os.environ.get(name) or folder, "matplotlib") for name, folder in bases.items()]


def _can_create(folder: Path) -> bool:
    """Return whether a folder is writable, or can be created."""
    existing = next(path for path in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(path))
    return existing.is_dir() and os.access(existing, os.W_OK | os.X_OK)


@functools.cache
def _temporary_folder() -> Path:
    import shutil
    import tempfile

    folder, process = Path(tempfile.mkdtemp(prefix=PREFIX)), os.getpid()

    def remove() -> None:
        if os.getpid() == process:  # not in a process that was forked
            shutil.rmtree(folder, ignore_errors=True)

    atexit.register(remove)
    return folder
