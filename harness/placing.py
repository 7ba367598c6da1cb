"""The folder that a command makes for its user: whole or not at all, over an older one only when told so."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness.errors import InputError
from harness.files import writing_directory


def require_free(out: Path, force: bool, *read: Path) -> None:
    """InputError for an `out` that is a file, that holds something (unless `force`), or that holds or is what is
    `read`: it would be lost."""
    if out.exists() and not out.is_dir():
        raise InputError(f"--out {out} is a file; name a folder")
    for path in read:
        if path.exists() and path.resolve().is_relative_to(out.resolve()):
            raise InputError(f"--out {out} holds {path}, which is read; name another folder")
    if not force and out.is_dir() and any(out.iterdir()):
        raise InputError(f"--out {out} is not empty; name another folder, or replace what is in it with --force")


@contextmanager
def placing(out: Path) -> Iterator[Path]:
    """Yield a folder beside `out` that takes its place, and that of whatever is in it, once the context succeeds."""
    with writing_directory(out) as aside:
        yield aside
        if out.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{out.name[:80]}.", suffix=".aside", dir=out.parent))
            os.rename(out, old)
            shutil.rmtree(old, ignore_errors=True)
