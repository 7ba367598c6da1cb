"""What was read of some hundred frames, and where finished pieces wait until all are there."""

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

ABOUT = "about.json"


@dataclass(frozen=True, eq=False)
class Chunk:
    """F frames one after the other, with N faces in them.

    frames: int32 [F] numbers; seconds: float64 [F]; sizes: int32 [F, 2] widths and heights; at: int32 [N], which of
    the F frames a face is in, ascending; boxes: float32 [N, 4]; scores: float32 [N]; hints: int64 [N], the
    detector's; looks: float16 [N, L], by which people are told apart (L may be 0); outputs: float32 [N, C] of each
    run, in order.
    """

    frames: np.ndarray
    seconds: np.ndarray
    sizes: np.ndarray
    at: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray
    looks: np.ndarray
    outputs: tuple[np.ndarray, ...]

    def rows(self) -> Sequence[slice]:
        """Those of each frame."""
        ends = np.searchsorted(self.at, np.arange(len(self.frames) + 1))
        return [slice(int(start), int(end)) for start, end in zip(ends, ends[1:])]


def partial_folder(out: Path) -> Path:
    return out.absolute().parent / f".{out.name}.partial"


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """One command at a time makes an output; of one that began nothing, nothing stays beside it."""
    folder = partial_folder(out)
    with entry_lock(folder / "pieces", str(out)):
        try:
            yield
        finally:
            if not (folder / ABOUT).exists():
                shutil.rmtree(folder, ignore_errors=True)


class ChunkStore:
    """The folder `.NAME.partial` beside an output, with the pieces that are finished.

    about: JSON values of all that the pieces depend on; those of another work are removed.
    """

    def __init__(self, out: Path, about: Mapping[str, Any]) -> None:
        self.folder = partial_folder(out)
        if self._begun() != about:
            for path in self.folder.glob("*.npz"):
                path.unlink()
            write_json(self.folder / ABOUT, about)

    def pieces(self) -> Iterator[Chunk]:
        """Those that are there, from the first on without a hole."""
        for number in count():
            try:
                yield _load(self._path(number))
            except (OSError, ValueError, KeyError, EOFError, BadZipFile):
                return

    def add(self, number: int, piece: Chunk) -> None:
        with atomic_write(self._path(number)) as aside, open(aside, "wb") as file:
            fields = {name: value for name, value in vars(piece).items() if name != "outputs"}
            np.savez(file, **fields, **{f"outputs{i}": outputs for i, outputs in enumerate(piece.outputs)})

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if self.folder.exists():
            raise FramelightError(f"cannot remove {self.folder}; it is not needed any more")

    def _begun(self) -> Any:
        try:
            return json.loads((self.folder / ABOUT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


def _load(path: Path) -> Chunk:
    with np.load(path, allow_pickle=False) as kept:
        fields = {name: kept[name] for name in Chunk.__dataclass_fields__ if name != "outputs"}
        runs = sum(name.startswith("outputs") for name in kept)
        return Chunk(**fields, outputs=tuple(kept[f"outputs{i}"] for i in range(runs)))
