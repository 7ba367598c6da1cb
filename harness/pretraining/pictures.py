"""Stills decoded and resized once, kept as uint8, and made into batches of pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harness import tasks
from harness.errors import InputError
from harness.learning.losses import Targets
from harness.pretraining.augmentation import augment

if TYPE_CHECKING:
    from backbones import Preprocessing
    from harness.data.image_table import Stills

BLOCK = 256
"""Crops per forward when nothing is learned."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """Stills in memory. images: uint8 [N, S, S, 3]; subject: int64 [N] into `subjects`; targets: `expr` int64 [N]
    and, where the table has them, `va` float32 [N, 2] and `au` int8 [N, 12], invalid values as in `harness.tasks`.
    """

    images: np.ndarray
    subject: np.ndarray
    subjects: tuple[str, ...]
    targets: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Pictures:
        """The rows of an index array or a mask."""
        return Pictures(self.images[rows], self.subject[rows], self.subjects,
                        {name: values[rows] for name, values in self.targets.items()})

    def digest(self) -> str:
        """Hash of pixels, subjects and labels (the size they were resized to is part of it)."""
        total = hashlib.sha256(repr((self.images.shape, self.subjects)).encode())
        for values in (self.images, self.subject, *(self.targets[name] for name in sorted(self.targets))):
            total.update(np.ascontiguousarray(values).view(np.uint8).reshape(-1))
        return total.hexdigest()


def read(stills: Stills, preprocessing: Preprocessing, say: Callable[[str], None], workers: int = 2) -> Pictures:
    """Decode and resize every still; a corrupt one is named through `say` and left out. InputError when all are."""
    from backbones import resize
    from harness.features.decode import CorruptImage, decode

    def one(path: Path) -> np.ndarray | str:
        try:
            return resize(decode(path), preprocessing)
        except CorruptImage as error:
            return str(error)

    with ThreadPoolExecutor(workers) as pool:
        decoded = list(pool.map(one, stills.images))
    good = np.array([not isinstance(image, str) for image in decoded], bool)
    faults = [image for image in decoded if isinstance(image, str)]
    for fault in faults[:10]:
        say(f"left out a still: {fault}")
    if not good.any():
        raise InputError(f"none of the {len(decoded)} stills can be read" + (f"; first: {faults[0]}" if faults else ""))
    targets = {"expr": stills.expression, "va": stills.va, "au": stills.au}
    return Pictures(np.stack([image for image in decoded if not isinstance(image, str)]), stills.subject[good],
                    stills.subjects, {name: values[good] for name, values in targets.items() if values is not None})


@dataclass(frozen=True, eq=False)
class Batches:
    """Batches of pixels, normalised by the preprocessing, with their targets."""

    images: np.ndarray
    preprocessing: Preprocessing
    targets: Targets
    size: int
    seed: int
    augmentation: float

    @property
    def rows(self) -> int:
        """Rows of one epoch; an incomplete last batch is left out, since batch norm wants batches alike."""
        return len(self.images) // self.size * self.size or len(self.images)

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Targets]]:
        """Shuffled batches, a pure function of (seed, epoch)."""
        random = torch.Generator().manual_seed(int(np.random.SeedSequence([self.seed, epoch]).generate_state(1)[0]))
        order = torch.randperm(len(self.images), generator=random)[:self.rows]
        for rows in order.split(self.size):
            pixels = _float(self.images[rows.numpy()])
            pixels = augment(pixels, random, self.augmentation) if self.augmentation else pixels
            yield (_normalise(pixels, self.preprocessing),
                   {name: (target[rows], valid[rows]) for name, (target, valid) in self.targets.items()})


def plain_batches(images: np.ndarray, preprocessing: Preprocessing) -> Iterator[Tensor]:
    """All rows in order, unchanged but for the preprocessing."""
    for start in range(0, len(images), BLOCK):
        yield _normalise(_float(images[start:start + BLOCK]), preprocessing)


def targets_of(pictures: Pictures, outputs: Sequence[tasks.Output]) -> Targets:
    return {output.name: (torch.from_numpy(pictures.targets[output.name]),
                          torch.from_numpy(output.valid(pictures.targets[output.name]))) for output in outputs}


def _float(images: np.ndarray) -> Tensor:
    """uint8 [B, S, S, 3] -> float32 [B, 3, S, S] in [0, 1], channels last in memory."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().mul_(1 / 255)


def _normalise(pixels: Tensor, preprocessing: Preprocessing) -> Tensor:
    std = torch.tensor(preprocessing.std).view(1, 3, 1, 1)
    mean = torch.tensor(preprocessing.mean).view(1, 3, 1, 1)
    scaled = pixels * (preprocessing.value_range / std) - mean / std
    return scaled.contiguous(memory_format=torch.channels_last)
