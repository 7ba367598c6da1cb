"""Training crops that calibrate int8 quantization: from as many videos as possible, evenly spaced in each video."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.dataset import Dataset
from harness.data.image_decoding import CorruptImageError, decode_image
from harness.data.splits import TRAINING
from harness.utils.errors import FramelightError


def training_crops(dataset: Dataset, task: str, count: int) -> list[np.ndarray]:
    """Read at most `count` training crops; the selection is deterministic.

    Parameters
    ----------
    dataset : Dataset
    task : str
        Only sequences with training labels of this task are used.
    count : int
        Upper limit; crops that cannot be decoded are skipped.

    Returns
    -------
    list of ndarray of shape (H, W, 3)
        uint8 RGB, each in its original size.

    Raises
    ------
    FramelightError
        If no crop can be read.
    """
    crops = []
    for path in spread_evenly(_training_images(dataset, task), count):
        try:
            crops.append(decode_image(path, dataset.upright))
        except CorruptImageError:
            continue
    if not crops:
        raise FramelightError(
            f"{dataset.root}: no training crop of task {task} can be read; pass an intact copy of the "
            "dataset with --data DIR"
        )
    return crops


def _training_images(dataset: Dataset, task: str) -> list[tuple[Path, ...]]:
    """List the training images of each sequence; a sequence of an image table may also have images of other splits."""
    images = []
    for name, frames in dataset.frames(task, TRAINING).items():
        sequence = dataset.sequences[name]
        images.append(tuple(sequence.images[i] for i in np.searchsorted(sequence.frames, frames).tolist()))
    return images


def spread_evenly(sequences: list[tuple[Path, ...]], count: int) -> list[Path]:
    """Select at most `count` images, evenly spaced within each sequence.

    Each sequence gives the same number of images, or all if it has fewer. If this does not add up to `count`, the first
    sequences that have more give one more each.
    """
    sizes = np.array([len(images) for images in sequences], np.int64)
    shares = np.zeros_like(sizes)
    while (remaining := min(count, int(sizes.sum())) - int(shares.sum())) > 0:
        unfinished = np.flatnonzero(shares < sizes)
        step = max(remaining // len(unfinished), 1)
        added = np.minimum(sizes[unfinished] - shares[unfinished], step)
        shares[unfinished] += np.where(np.cumsum(added) <= remaining, added, 0)
    return [
        images[int(at)]
        for images, share in zip(sequences, shares.tolist())
        for at in (np.arange(share) + 0.5) * len(images) / max(share, 1)
    ]
