"""Crops that a run learned from, which set the ranges of int8: spread over the training videos, and within each."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.data.dataset import Dataset
from harness.data.image_decoding import CorruptImageError, decode_image
from harness.data.splits import TRAINING
from harness.utils.errors import FramelightError


def training_crops(dataset: Dataset, task: str, count: int) -> list[np.ndarray]:
    """At most `count` crops as they are, the same at every call; those that cannot be read are passed over.

    FramelightError where there is not one.
    """
    found = []
    for path in spread_evenly(
        [dataset.sequences[name].images for name in dataset.sequence_names(task, TRAINING)], count
    ):
        try:
            found.append(decode_image(path))
        except CorruptImageError:
            continue
    if not found:
        raise FramelightError(
            f"{dataset.root}: no training crop of task {task} can be read; name a sound copy of the "
            "data set with --data DIR"
        )
    return found


def spread_evenly(sequences: list[tuple[Path, ...]], count: int) -> list[Path]:
    """At most `count` images: as many from each sequence as from any other while they last, evenly within it."""
    sizes = np.array([len(images) for images in sequences], np.int64)
    shares = np.zeros_like(sizes)
    while (left := min(count, int(sizes.sum())) - int(shares.sum())) > 0:
        open_ones = np.flatnonzero(shares < sizes)
        step = max(left // len(open_ones), 1)
        given = np.minimum(sizes[open_ones] - shares[open_ones], step)
        shares[open_ones] += np.where(np.cumsum(given) <= left, given, 0)
    return [
        images[int(at)]
        for images, share in zip(sequences, shares.tolist())
        for at in (np.arange(share) + 0.5) * len(images) / max(share, 1)
    ]
