"""Hashes of the files of a job or training: written beside the files, and compared before the files are used.

`hashes.json` lists SHA-256, size and modification time of each file. A file that still has the recorded size and time
counts as unaltered, unless `full` is requested. Any other file is hashed. Hashes reveal files that were changed by
mistake, or replaced without changing the hashes. They do not protect against a program that rewrites files and hashes
consistently.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backbones.regular_files import hash_file
from harness.jobs.job_folder import JobFolder
from harness.utils.errors import FramelightError
from harness.utils.files import write_json
from harness.utils.json_text import read_json

HASHES = JobFolder.hashes.name
VERSION = 1

FileState = list[Any]
"""SHA-256, size in bytes and modification time in nanoseconds of a file, as JSON types."""


def write_hashes(folder: Path) -> None:
    """Hash all files of a folder, but not of its subfolders.

    The folder of a job starts with links to all files of a training, including its `hashes.json`. Files that are
    unchanged since then are not hashed again.

    Parameters
    ----------
    folder : Path
        Folder of a job or of the predictions of a training.
    """
    states: dict[str, FileState] = {}
    with suppress(OSError, ValueError):
        states = _read_states(folder)
    files = {entry.name: entry for entry in os.scandir(folder) if entry.is_file() and entry.name != HASHES}
    _write_states(folder, {name: _current_state(files[name], states.get(name)) for name in sorted(files)})


def find_altered_files(folder: Path, full: bool = False, known: Mapping[str, str] | None = None) -> list[str] | None:
    """Compare the files of a folder with their hashes.

    Parameters
    ----------
    folder : Path
        Folder of a job or of the predictions of a training.
    full : bool, default=False
        Hash every file, even if its size and modification time are the recorded ones.
    known : mapping of str to str, optional
        SHA-256 of files that were hashed already, by name.

    Returns
    -------
    list of str or None
        Names of the altered and missing files; only `hashes.json` if that file cannot be read. None if the folder does
        not exist or has no hashes (earlier versions of Framelight wrote none).

    Examples
    --------
    >>> import tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> _ = (folder / "reported.npz").write_text("predictions")
    >>> write_hashes(folder)
    >>> find_altered_files(folder)
    []
    >>> _ = (folder / "reported.npz").write_text("labels")
    >>> find_altered_files(folder)
    ['reported.npz']
    """
    try:
        with os.scandir(folder) as entries:
            files = {entry.name: entry for entry in entries}
        states = _read_states(folder) if HASHES in files else None
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        return [HASHES]
    if states is None:
        return None
    altered, touched = [], {}
    for name, state in states.items():
        if known and name in known:
            altered += [name] if known[name] != state[0] else []
        elif name not in files:
            altered.append(name)
        else:
            current = _current_state(files[name], None if full else state)
            if current[0] != state[0]:
                altered.append(name)
            elif current != state:
                touched[name] = current
    if touched and not altered:
        with suppress(FramelightError):  # in a read-only store, the next comparison hashes the file again
            _write_states(folder, states | touched)
    return altered


def describe_alteration(path: Path, event: str) -> str:
    """Describe an altered file: missing, not readable, or modified since an event such as `the training`."""
    if is_unreadable(path):
        return f"{path} cannot be read (no permission)"
    return f"{path} was modified since {event}" if path.exists() else f"{path} is missing"


def is_unreadable(path: Path) -> bool:
    """Return whether a file exists and this user may not read it."""
    return path.exists() and not os.access(path, os.R_OK)


def _current_state(file: os.DirEntry[str], recorded: FileState | None) -> FileState:
    """Return the state of a file, with the recorded hash if size and modification time are unchanged."""
    now = [0, 0]
    try:
        stat = file.stat()
        now = [stat.st_size, stat.st_mtime_ns]
        return recorded if recorded is not None and recorded[1:] == now else [hash_file(Path(file.path)), *now]
    except OSError:
        return ["unreadable", *now]


def _read_states(folder: Path) -> dict[str, FileState]:
    """Read the states by file name; raise OSError or ValueError if this is not possible."""
    document = read_json(JobFolder(folder).hashes)
    states = document.get("files") if isinstance(document, dict) and document.get("version") == VERSION else None
    if not isinstance(states, dict) or not all(map(_is_state, states.values())):
        raise ValueError("not a list of hashes")
    return states


def _is_state(state: Any) -> bool:
    return isinstance(state, list) and [type(part) for part in state] == [str, int, int]


def _write_states(folder: Path, states: dict[str, FileState]) -> None:
    write_json(JobFolder(folder).hashes, {"version": VERSION, "files": states})
