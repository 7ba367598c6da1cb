"""Chunks of predictions for a few hundred frames, and the folder that stores them until the input is complete."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write, write_json
from harness.utils.json_text import read_json
from harness.utils.locks import entry_lock
from harness.utils.names import bounded_name
from harness.utils.npz import read_arrays

FORMAT = 3
"""Version of the chunk files; chunks of another version are computed again."""
ABOUT = "about.json"


@dataclass(frozen=True, eq=False)
class Chunk:
    """F consecutive frames with N faces in them.

    Attributes
    ----------
    frames : ndarray of shape (F,)
        int32 frame numbers.
    seconds : ndarray of shape (F,)
        float64.
    durations : ndarray of shape (F,)
        float64, seconds until the next frame.
    sizes : ndarray of shape (F, 2)
        int32 widths and heights in pixels.
    at : ndarray of shape (N,)
        int32 index of the frame that a face is in, ascending.
    boxes : ndarray of shape (N, 4)
        float32 x, y, width and height in pixels.
    scores : ndarray of shape (N,)
        float32 scores of the detector.
    hints : ndarray of shape (N,)
        int64, see `harness.video.faces.boxes.Faces`.
    ids : ndarray of shape (N,)
        int64 track ids.
    appearance : ndarray of shape (N, L)
        float16 descriptors of length L, by which the tracker tells people apart; L may be 0.
    outputs : tuple of ndarray of shape (N, C)
        float32 outputs, one array for each run.
    """

    frames: np.ndarray
    seconds: np.ndarray
    durations: np.ndarray
    sizes: np.ndarray
    at: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray
    ids: np.ndarray
    appearance: np.ndarray
    outputs: tuple[np.ndarray, ...]

    def rows(self) -> Sequence[slice]:
        """Get, for each frame, the slice of its faces in the arrays of length N."""
        ends = np.searchsorted(self.at, np.arange(len(self.frames) + 1))
        return [slice(int(start), int(end)) for start, end in zip(ends, ends[1:])]


def partial_folder(out: Path) -> Path:
    """Get the folder of unfinished work next to an output."""
    return out.absolute().parent / bounded_name(out.name, ".", ".partial")


def remove_partial_folder(out: Path) -> None:
    """Remove the folder of unfinished work after the output is complete."""
    folder = partial_folder(out)
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        raise FramelightError(f"cannot remove {folder}, which is no longer needed; remove it by hand")


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Let one command at a time write an output; afterwards, remove the partial folder if it holds no `ChunkStore`."""
    folder = partial_folder(out)
    with entry_lock(folder / "pieces", str(out)):
        try:
            yield
        finally:
            if not (folder / ABOUT).exists():
                shutil.rmtree(folder, ignore_errors=True)


class ChunkStore:
    """The folder `.NAME.partial` next to an output, with the finished chunks.

    Parameters
    ----------
    out : Path
    about : mapping
        JSON values of everything that the chunks depend on; chunks with other values are removed.
    """

    def __init__(self, out: Path, about: Mapping[str, Any]) -> None:
        self.folder = partial_folder(out)
        about = {"format": FORMAT, **about}
        if self._about() != about:
            for path in self.folder.glob("*.npz"):
                path.unlink()
            write_json(self.folder / ABOUT, about)

    def chunks(self) -> Iterator[Chunk]:
        """Load the finished chunks up to the first one that is missing or damaged."""
        for number in count():
            try:
                yield _load(self._path(number))
            except (OSError, ValueError):
                return

    def add(self, number: int, chunk: Chunk) -> None:
        """Write one chunk."""
        with atomic_write(self._path(number)) as tmp_path, tmp_path.open("wb") as file:
            arrays: dict[str, Any] = {name: value for name, value in vars(chunk).items() if name != "outputs"}
            arrays.update((f"outputs{i}", outputs) for i, outputs in enumerate(chunk.outputs))
            np.savez(file, **arrays)

    def _about(self) -> Any:
        try:
            return read_json(self.folder / ABOUT)
        except (OSError, ValueError):
            return None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npz"


def _load(path: Path) -> Chunk:
    saved = read_arrays(path)
    runs = sum(name.startswith("outputs") for name in saved)
    try:
        outputs = tuple(saved.pop(f"outputs{i}") for i in range(runs))
        return Chunk(**saved, outputs=outputs)
    except (KeyError, TypeError) as error:
        raise ValueError(f"{path} is not a chunk of predictions") from error
