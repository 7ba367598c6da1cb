"""Face crops for benchmarks: synthetic JPEG files of 112 x 112 pixels and about 4 KB, repeated as often as needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from backbones.processors import available_processors
from harness.data.dataset import Dataset, Labels, Sequence
from harness.utils.errors import InputError

VIDEOS, FRAMES = 4, 128


class BenchmarkCrops(Dataset):
    """Dataset of crops in sequences of up to FRAMES images, without annotations.

    Parameters
    ----------
    root : Path
    paths : list of Path
        Image files, used in turn.
    count : int
        Number of crops.
    """

    temporal, name = True, "bench"

    def __init__(self, root: Path, paths: list[Path], count: int) -> None:
        self.root = root
        repeated = [paths[i % len(paths)] for i in range(count)]
        self.sequences = {}
        for start in range(0, count, FRAMES):
            images = tuple(repeated[start : start + FRAMES])
            name = f"video{start // FRAMES:04}"
            self.sequences[name] = Sequence(name, np.arange(1, len(images) + 1, dtype=np.int32), images)

    @property
    def paths(self) -> list[Path]:
        """Image file of each crop."""
        return [path for sequence in self.sequences.values() for path in sequence.images]

    def tasks(self) -> tuple[str, ...]:
        """Return an empty tuple: there are no tasks."""
        return ()

    def splits(self, task: str) -> tuple[str, ...]:
        """Return an empty tuple: there are no splits."""
        return ()

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Return the names of all sequences, for any task and split."""
        return tuple(self.sequences)

    def labels(self, task: str, split: str) -> Labels:
        """Raise InputError: there are no annotations."""
        raise InputError("benchmark crops have no annotations")

    def labels_digest(self, task: str, split: str) -> str:
        """Raise InputError: there are no annotations."""
        raise InputError("benchmark crops have no annotations")


def render_crops(folder: Path) -> list[Path]:
    """Render about VIDEOS x FRAMES crops into a folder, deterministically and in a few seconds; return their paths."""
    from harness.data.synthetic import make

    root = folder / "set"
    make(root, videos=VIDEOS, frames=FRAMES, stills=0, workers=available_processors())
    return sorted(root.rglob("*.jpg"))
