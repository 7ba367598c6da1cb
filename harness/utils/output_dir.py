"""The folder that a command makes for its user: whole or not at all, over an older one only when told so."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.utils.errors import InputError
from harness.utils.files import atomic_write_dir, remove_stale_temp_files


def check_output_dir(out: Path, force: bool, *read: Path) -> None:
    """InputError for an `out` that is a file or the folder that the user is in, that holds something (unless `force`),
    that cannot be made where it is, or whose content is, holds or is part of what is `read`: it would be lost.
    """
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    place = out.resolve()
    if Path.cwd().is_relative_to(place):
        raise InputError(f"--out {out} is or holds the folder that you are in; name a folder to make")
    above = next(folder for folder in place.parents if os.path.exists(folder))
    if not above.is_dir():
        raise InputError(f"--out {out} cannot be made: {above} is a file; name another folder")
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(f"--out {out} cannot be made: {above} is not yours to write in; name another place")
    full = out.is_dir() and any(out.iterdir())
    for path in read:
        if path.exists() and path.resolve().is_relative_to(place):
            raise InputError(f"--out {out} holds {path}, which is read; name another folder")
        if full and force and path.is_dir() and place.is_relative_to(path.resolve()):
            raise InputError(
                f"--out {out} is part of {path}, which is read, and --force would remove what it holds; "
                "name another folder"
            )
    if full and not force:
        raise InputError(f"--out {out} is not empty; name another folder, or replace what is in it with --force")


@contextmanager
def replace_output_dir(out: Path) -> Iterator[Path]:
    """Yield a folder beside `out` that takes its place, and that of whatever is in it, once the context succeeds.

    What was there is removed once the new one is in its place: until then a kill loses nothing of it. What a kill
    left aside of the same folder more than an hour ago goes.
    """
    out = Path(out).resolve()  # a link to a folder is followed: it cannot be replaced by one
    remove_stale_temp_files(out.parent, of=out.name)
    with atomic_write_dir(out, replace=True) as tmp_path:
        yield tmp_path
