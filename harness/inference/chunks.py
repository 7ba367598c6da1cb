"""Predictions of some hundred frames, and where finished chunks wait until the whole input has been read."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write, write_json
from harness.utils.locks import entry_lock

FORMAT = 2
"""Version of the chunk files: chunks of another version are computed again."""
ABOUT = "about.json"


@dataclass(frozen=True, eq=False)
class Chunk:
    """F consecutive frames with N faces in them.

    frames: int32 [F] numbers; seconds: float64 [F]; sizes: int32 [F, 2] widths and heights; at: int32 [N], which of
    the F frames a face is in, ascending; boxes: float32 [N, 4]; scores: float32 [N]; hints: int64 [N], the
    detector's; ids: int64 [N], the tracker's; appearance: float16 [N, L], by which people are told apart (L may be 0);
    outputs: float32 [N, C] of each run, in order.
    """

    frames: np.ndarray
    seconds: np.ndarray
    sizes: np.ndarray
    at: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray
    ids: np.ndarray
    appearance: np.ndarray
    outputs: tuple[np.ndarray, ...]

    def rows(self) -> Sequence[slice]:
        """The rows of each frame."""
        ends = np.searchsorted(self.at, np.arange(len(self.frames) + 1))
        return [slice(int(start), int(end)) for start, end in zip(ends, ends[1:])]


def partial_folder(out: Path) -> Path:
    return out.absolute().parent / f".{out.name}.partial"


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Let one command at a time write an output; remove the partial folder of a command that began nothing."""
    folder = partial_folder(out)
    with entry_lock(folder / "pieces", str(out)):
        try:
            yield
        finally:
            if not (folder / ABOUT).exists():
                shutil.rmtree(folder, ignore_errors=True)


class ChunkStore:
    """The folder `.NAME.partial` beside an output, with the chunks that are finished.

    about: JSON values of everything that the chunks depend on; chunks of anything else are removed.
    """

    def __init__(self, out: Path, about: Mapping[str, Any]) -> None:
        self.folder = partial_folder(out)
        about = {"format": FORMAT, **about}
        if self._about() != about:
            for path in self.folder.glob("*.npz"):
                path.unlink()
            write_json(self.folder / ABOUT, about)

    def chunks(self) -> Iterator[Chunk]:
        """The finished chunks, from the first up to the first one that is missing or damaged."""
        for number in count():
            try:
                yield _load(self._path(number))
            except (OSError, ValueError, KeyError, EOFError, BadZipFile):
                return

    def add(self, number: int, chunk: Chunk) -> None:
        with atomic_write(self._path(number)) as aside, open(aside, "wb") as file:
            fields = {name: value for name, value in vars(chunk).items() if name != "outputs"}
            np.savez(file, **fields, **{f"outputs{i}": outputs for i, outputs in enumerate(chunk.outputs)})

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            raise FramelightError(f"cannot remove {self.folder}; it is not needed any more")

    def _about(self) -> Any:
        try:
            return json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


def _load(path: Path) -> Chunk:
    with np.load(path, allow_pickle=False) as saved:
        fields = {name: saved[name] for name in Chunk.__dataclass_fields__ if name != "outputs"}
        runs = sum(name.startswith("outputs") for name in saved)
        return Chunk(**fields, outputs=tuple(saved[f"outputs{i}"] for i in range(runs)))
