"""What takes long to build and is only read: built once for all processes of a test session."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import filelock
import pytest

from tests.helpers import small_run


def session_folder(factory: pytest.TempPathFactory) -> Path:
    """The folder that all processes of the session see; pytest-xdist gives each one a folder within it."""
    base = factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


def build_once(factory: pytest.TempPathFactory, name: str, build: Callable[[Path], object]) -> Path:
    """A folder that `build(folder)` fills in the first process that asks for it. Tests must not change it."""
    folder, complete = session_folder(factory) / name, session_folder(factory) / f"{name}.complete"
    with filelock.FileLock(session_folder(factory) / f"{name}.lock"):
        if not complete.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            build(folder)
            complete.touch()
    return folder


def run_here(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the command in this process."""
    from harness.cli import main

    words, out, err = list(map(str, arguments)), io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def copy_of_command(
    factory: pytest.TempPathFactory, name: str, *arguments: object, run: Callable = small_run.framelight
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A store in which a command has run once for the session, and what the command printed.

    Each process gets a copy of the store, with the links between its files, which its tests may add to; the printed
    paths are those of the copy. `run` runs the command, by default in a separate process.
    """

    def build(folder: Path) -> None:
        done = run(*arguments, "--store", folder / "store")
        assert done.returncode == 0, done.stderr
        (folder / "printed.json").write_text(json.dumps([done.stdout, done.stderr]))

    original = build_once(factory, name, build)
    copy = factory.mktemp(name)
    subprocess.run(["cp", "-a", original / "store", copy / "store"], check=True)
    printed = json.loads((original / "printed.json").read_text())
    out, err = (text.replace(str(original / "store"), str(copy / "store")) for text in printed)
    return copy / "store", subprocess.CompletedProcess([*map(str, arguments)], 0, out, err)
