"""Face crops on disk for benchmarks: 112 x 112 JPEGs as `framelight data make` draws them, listed as often as needed.

A file is about 4 KB.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from harness.data.dataset import Dataset, Labels, Sequence
from harness.utils.errors import InputError

VIDEOS, FRAMES = 4, 128


class BenchmarkCrops(Dataset):
    """`count` crops in sequences of FRAMES, from files that take turns."""

    temporal, name = True, "bench"

    def __init__(self, root: Path, paths: list[Path], count: int) -> None:
        self.root = root
        listed = [paths[i % len(paths)] for i in range(count)]
        self.sequences = {}
        for start in range(0, count, FRAMES):
            images = tuple(listed[start : start + FRAMES])
            name = f"video{start // FRAMES:04}"
            self.sequences[name] = Sequence(name, np.arange(1, len(images) + 1, dtype=np.int32), images)

    @property
    def paths(self) -> list[Path]:
        return [path for sequence in self.sequences.values() for path in sequence.images]

    def tasks(self) -> tuple[str, ...]:
        return ()

    def splits(self, task: str) -> tuple[str, ...]:
        return ()

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        return tuple(self.sequences)

    def labels(self, task: str, split: str) -> Labels:
        raise InputError("crops of a benchmark have no annotations")

    def labels_digest(self, task: str, split: str) -> str:
        raise InputError("crops of a benchmark have no annotations")


def render_crops(folder: Path) -> list[Path]:
    """Paths of about VIDEOS x FRAMES crops, drawn into `folder` in a few seconds; the same bytes every time."""
    from harness.data.synthetic import make

    root = folder / "set"
    make(root, videos=VIDEOS, frames=FRAMES, stills=0, workers=os.cpu_count() or 1)
    return sorted(root.rglob("*.jpg"))
