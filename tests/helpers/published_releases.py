"""Old releases of other libraries, installed in separate folders, whose real files are imported."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

import filelock
import numpy as np
import pytest

from tests.helpers import release_writer
from tests.helpers.release_writer import FILES, SLOW_FILES

WRITER = Path(__file__).with_name("release_writer.py")
OFFLINE = (
    "Could not find a version",
    "No matching distribution",
    "ConnectionError",
    "NewConnectionError",
    "Temporary failure in name resolution",
    "Max retries",
    "Read timed out",
)


INSIDE = {"emotiefflib==1.1.1": "emotiefflib/backbones"}
"""Folders within a release that it puts on the path itself."""


class Releases:
    """Installs each release once for all test processes; its files, and those of slow tests, are written once."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def file(self, release: str, name: str) -> Path:
        """A file that the release wrote; `computed` has the outputs of its network.

        The test is skipped where no package index can be reached.
        """
        with filelock.FileLock(self.folder / f"{release}.lock"):
            path = None if release == "timm" else self._installed(release) / INSIDE.get(release, "")
            names = next(group[release] for group in (FILES, SLOW_FILES) if name in group.get(release, ()))
            files = self.folder / f"{release}.{'files' if names is FILES.get(release) else 'slow_files'}"
            if not files.exists():
                with tempfile.TemporaryDirectory(dir=self.folder) as aside:
                    self._write(Path(aside), release, path, names)
                    Path(aside).rename(files)
                    Path(aside).mkdir()
        return files / name

    def _installed(self, release: str) -> Path:
        folder = self.folder / release
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=self.folder) as aside:
                done = subprocess.run(
                    [sys.executable, "-m", "pip", "install", "--no-deps", "--quiet", "--target", aside, release],
                    capture_output=True,
                    text=True,
                )
                if done.returncode and any(sign in done.stderr for sign in OFFLINE):
                    pytest.skip(f"{release} cannot be fetched: {done.stderr.strip().splitlines()[-1]}")
                assert done.returncode == 0, done.stderr
                Path(aside).rename(folder)
                Path(aside).mkdir()
        return folder

    def _write(self, folder: Path, release: str, path: Path | None, names: Iterable[str]) -> None:
        if path is None:
            release_writer.main(str(folder), release, *names)
            return
        environment = {**os.environ, "PYTHONPATH": str(path), "PYTHONWARNINGS": "ignore"}
        done = subprocess.run(
            [sys.executable, str(WRITER), str(folder), release, *names], env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr


def computed(path: Path) -> dict[str, np.ndarray]:
    """What the network in a file gave where it was written: `embedding` [2, D] and `scores` [2, K]."""
    with np.load(f"{path}.npz") as outputs:
        return dict(outputs)
