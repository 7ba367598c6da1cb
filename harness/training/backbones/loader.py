"""Batches of pictures with their targets: which rows in which order, decoded ahead of whoever trains on them."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harness.training.backbones.images import ImageSet
from harness.training.fit import Shard
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from harness.training.backbones.batch_transforms import ImageTransform
    from harness.training.losses import Targets

CHUNK = 8
"""Pictures that one thread decodes at a time."""

EVAL_PIXELS = 1 << 22
"""Pixels per forward when nothing is learned: 256 crops of 64 x 64 at most, 83 of 224 x 224."""

Order = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class ShuffledOrder:
    """Every one of `count` rows once, shuffled; a pure function of (seed, epoch)."""

    count: int
    seed: int

    def __call__(self, epoch: int) -> np.ndarray:
        return np.random.default_rng([self.seed, epoch]).permutation(self.count)


@dataclass(frozen=True, eq=False)
class BalancedOrder:
    """As many rows as there are, each class of labels int64 [N] equally often; a pure function of (seed, epoch).

    A rare class's rows come several times in an epoch, a common one's in some epochs only; rows without a label (-1)
    come once.
    """

    labels: np.ndarray
    seed: int

    def __call__(self, epoch: int) -> np.ndarray:
        random = np.random.default_rng([self.seed, epoch])
        classes = np.unique(self.labels[self.labels >= 0])
        drawn, left = [np.flatnonzero(self.labels < 0)], int((self.labels >= 0).sum())
        for place, label in enumerate(classes):
            rows, wanted = np.flatnonzero(self.labels == label), left // (len(classes) - place)
            rounds = [random.permutation(rows) for _ in range(-(-wanted // len(rows)))]
            drawn.append(np.concatenate(rounds)[:wanted])
            left -= wanted
        return random.permutation(np.concatenate(drawn))


@dataclass(frozen=True, eq=False)
class ImageLoader:
    """Batches of an epoch: the pictures of `rows` [n], in the epoch's order, with their targets.

    targets: tensors of n rows. step: rows of one optimiser step; a rest smaller than that is left out, since batch
    norm wants batches alike. batch: rows of one batch, `step` divided by the accumulated ones.
    workers: threads that prepare batches ahead; 0 prepares each when it is asked for. The batches are the same.
    """

    pictures: ImageSet
    rows: np.ndarray
    targets: Targets
    order: Order
    step: int
    batch: int
    workers: int = 0

    @property
    def rows_per_epoch(self) -> int:
        """Rows of one epoch."""
        return len(self.rows) // self.step * self.step or len(self.rows)

    def __call__(self, epoch: int, part: Shard) -> Iterator[tuple[Tensor, Targets]]:
        """uint8 [b, P, P, 3] and targets of the part's share of each batch; a pure function of (epoch, part)."""
        rows = min(self.batch, self.rows_per_epoch)
        if rows % part.of:
            raise InputError(
                f"batches of {rows} stills cannot be shared equally by {part.of} processes; choose a "
                f"batch_size that is a multiple of {part.of}, or fewer devices"
            )
        order = self.order(epoch)
        shares = [
            order[start : min(start + self.batch, self.rows_per_epoch)][part.index :: part.of]
            for start in range(0, self.rows_per_epoch, self.batch)
        ]
        images = prefetch_images(self.pictures, [self.rows[share] for share in shares], self.workers)
        for share, pixels in zip(shares, images):
            index = torch.from_numpy(share)
            yield (
                torch.from_numpy(pixels),
                {name: (target[index], valid[index]) for name, (target, valid) in self.targets.items()},
            )


def iter_image_batches(pictures: ImageSet, rows: np.ndarray, workers: int = 0) -> Iterator[Tensor]:
    """uint8 [b, S, S, 3] of the rows in their order."""
    block = min(max(EVAL_PIXELS // pictures.preprocessing.input_size**2, 16), 256)
    parts = [rows[start : start + block] for start in range(0, len(rows), block)]
    yield from map(torch.from_numpy, prefetch_images(pictures, parts, workers))


def prefetch_images(pictures: ImageSet, batches: list[np.ndarray], workers: int) -> Iterator[np.ndarray]:
    """The pictures of each batch of rows, in order, prepared by threads some batches ahead."""
    if workers == 0:
        yield from map(pictures.get, batches)
        return
    pool, waiting = ThreadPoolExecutor(workers), deque()
    most = max((len(rows) for rows in batches), default=1)
    ahead = max(2, -(-2 * workers * CHUNK // max(most, 1)))
    try:
        for rows in batches:
            waiting.append(_submit(pictures, rows, pool))
            if len(waiting) > ahead:
                yield _wait(waiting.popleft())
        while waiting:
            yield _wait(waiting.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(pictures: ImageSet, rows: np.ndarray, pool: ThreadPoolExecutor) -> tuple[np.ndarray, list[Future]]:
    images = pictures.empty(len(rows))
    return images, [
        pool.submit(pictures.fill, images[start : start + CHUNK], rows[start : start + CHUNK])
        for start in range(0, len(rows), CHUNK)
    ]


def _wait(started: tuple[np.ndarray, list[Future]]) -> np.ndarray:
    images, futures = started
    for future in futures:
        future.result()
    return images


def measure_loading_rate(loader: ImageLoader, inputs: ImageTransform, device: torch.device, seconds: float) -> float:
    """Images per second of decoding and augmentation alone, measured for that long or one epoch."""
    random = torch.Generator(device).manual_seed(0)
    count, started = 0, time.perf_counter()
    for images, _ in loader(0, Shard()):
        inputs.train_transform(images.to(device), random)
        count += len(images)
        if time.perf_counter() - started > seconds:
            break
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return count / (time.perf_counter() - started)
