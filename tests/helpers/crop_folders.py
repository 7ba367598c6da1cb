"""A dataset of crops, `<root>/<video>/<frame>.jpg`, and a writer of such folders."""

from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.dataset import Dataset, Labels, Sequence
from harness.utils.errors import InputError


class Crops(Dataset):
    """Every folder is a video, every file name a frame number."""

    temporal = True

    def __init__(self, root):
        self.root, self.name = Path(root), Path(root).name
        self.sequences = {}
        for folder in sorted(path for path in self.root.iterdir() if path.is_dir()):
            images = tuple(sorted(folder.iterdir()))
            frames = np.array([int(image.stem) for image in images], np.int32)
            self.sequences[folder.name] = Sequence(folder.name, frames, images)

    def tasks(self):
        return ()

    def splits(self, task):
        return ()

    def sequence_names(self, task, split):
        return tuple(self.sequences)

    def labels(self, task, split):
        raise InputError(f"{self.root} has crops and no annotations")

    labels_digest = labels


def write_crops(root, videos, size=48, seed=0):
    """videos: frame numbers by video name; smooth coloured noise, so that JPEG keeps most of it."""
    random = np.random.default_rng(seed)
    for name, frames in videos.items():
        (root / name).mkdir(parents=True)
        for frame in frames:
            coarse = Image.fromarray(random.integers(0, 256, (6, 6, 3), dtype=np.uint8))
            coarse.resize((size, size), Image.Resampling.BILINEAR).save(root / name / f"{frame:05}.jpg", quality=90)
    return Crops(root)


def labels_of(rows, expr=None):
    """Labels of (sequence name, frame) rows, file order kept."""
    names = tuple(sorted({name for name, _ in rows}))
    sequence = np.array([names.index(name) for name, _ in rows], np.int32)
    frame = np.array([frame for _, frame in rows], np.int32)
    targets = {"expr": np.zeros(len(rows), np.int64) if expr is None else expr}
    return Labels(names, sequence, frame, names, sequence, names, targets)


def contents(folder):
    """Bytes of every visible file under a folder, by relative path."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in files
        if not any(part.startswith(".") for part in path.relative_to(folder).parts)
    }
