"""Output folders of commands: checked before any work and written atomically."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backbones.atomic_files import restore_displaced
from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir, remove_stale_temp_files


def not_empty_error(out: Path) -> InputError:
    """Create the error for an output folder that already has content."""
    return InputError(f"--out {out} is not empty; choose another folder, or replace its content with --force")


def check_output_dir(out: Path, force: bool, *read: Path, note: str = "", shared: bool = False) -> None:
    """Check that an output folder can be written without unintended loss of files.

    If a process was killed while it replaced the folder, the old folder is put back first.

    Parameters
    ----------
    out : Path
        Output folder.
    force : bool
        Whether existing content of `out` may be replaced.
    *read : Path
        Files and folders that the command reads.
    note : str, optional
        Name of the note, a JSON file that the command writes last. A folder with this note passes, as it may be the
        output of an interrupted call; `harness.utils.finished_output.read_finished_note` checks it.
    shared : bool, default=False
        Whether other processes may write to `out` at the same time. The caller then checks the content of `out`.

    Raises
    ------
    InputError
        If `out` is a file, contains the current folder, cannot be created, or is not empty (unless `force`, `shared` or
        `note` permits it), or if replacing it would remove something that is read.
    """
    restore_displaced(out.parent, out.name)
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; choose a folder")
    folder = out.resolve()
    if Path.cwd().is_relative_to(folder):
        raise InputError(f"--out {out} is or contains the current folder; choose a new folder")
    # unlike Path.exists, os.path.exists does not raise if a folder may not be entered
    parent = next(path for path in folder.parents if os.path.exists(path))  # noqa: PTH110 - see above
    if not parent.is_dir():
        raise InputError(f"--out {out} cannot be created: {parent} is a file; choose another folder")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise InputError(f"--out {out} cannot be created: no permission to write in {parent}; choose another folder")
    not_empty = out.is_dir() and any(out.iterdir())
    for path in read:
        if not os.path.exists(path):  # noqa: PTH110 - see above
            continue
        if path.resolve().is_relative_to(folder):
            raise InputError(f"--out {out} contains {path}, which is read; choose another folder")
        if not_empty and force and path.is_dir() and folder.is_relative_to(path.resolve()):
            raise InputError(
                f"--out {out} is part of {path}, which is read, and --force would remove its content; "
                "choose another folder"
            )
    if not_empty and not (force or shared) and not (note and (out / note).is_file()):
        raise not_empty_error(out)


@contextmanager
def replace_output_dir(out: Path) -> Iterator[Path]:
    """Write an output folder atomically and replace the existing one.

    The existing folder is removed after the new one is in place, so that nothing is lost if the process is killed.
    Temporary folders of `out` that a killed process left more than an hour ago are removed.

    Parameters
    ----------
    out : Path

    Yields
    ------
    Path
        Temporary folder next to `out`.

    Raises
    ------
    FramelightError
        If the folder cannot be written.
    """
    out = Path(out).resolve()  # a symbolic link cannot be replaced by a folder, but its target can
    remove_stale_temp_files(out.parent, of=out.name)
    with atomic_write_dir(out, replace=True) as tmp_path:
        yield tmp_path
