"""Batches of training images with their targets, decoded ahead by threads."""

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
from harness.training.losses import Targets
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from harness.training.backbones.batch_transforms import ImageTransform

CHUNK = 8
"""Images that one thread decodes at a time."""

EVAL_PIXELS = 1 << 22
"""Pixels per forward pass in evaluation: 83 crops of 224 x 224. A pass has at least 16 and at most 256 crops."""

Order = Callable[[int], np.ndarray]


@dataclass(frozen=True)
class ShuffledOrder:
    """All rows once in random order.

    Attributes
    ----------
    count : int
        Number of rows.
    seed : int
    """

    count: int
    seed: int

    def __call__(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch; a pure function of seed and epoch."""
        return np.random.default_rng([self.seed, epoch]).permutation(self.count)


@dataclass(frozen=True, eq=False)
class BalancedOrder:
    """N rows in random order, with each class equally often.

    Rows of a rare class occur several times in an epoch, rows of a frequent class occur in some epochs only, and rows
    without a label occur once in each epoch.

    Attributes
    ----------
    labels : ndarray of int64, shape (N,)
        Classes; -1 for rows without a label.
    seed : int
    """

    labels: np.ndarray
    seed: int

    def __call__(self, epoch: int) -> np.ndarray:
        """Return the rows of an epoch; a pure function of seed and epoch."""
        random = np.random.default_rng([self.seed, epoch])
        classes = np.unique(self.labels[self.labels >= 0])
        rows_by_class, remaining = [np.flatnonzero(self.labels < 0)], int((self.labels >= 0).sum())
        for index, label in enumerate(classes):
            rows, count = np.flatnonzero(self.labels == label), remaining // (len(classes) - index)
            rounds = [random.permutation(rows) for _ in range(-(-count // len(rows)))]
            rows_by_class.append(np.concatenate(rounds)[:count])
            remaining -= count
        return random.permutation(np.concatenate(rows_by_class))


@dataclass(frozen=True, eq=False)
class ImageLoader:
    """Batches of images and targets.

    Attributes
    ----------
    image_set : ImageSet
    rows : ndarray of int, shape (n,)
        Rows of the image set.
    targets : Targets
        Tensors of n rows.
    order : callable
        Maps an epoch to the order of the n rows.
    step : int
        Rows of one optimizer step. Batch norm needs batches of equal size, so the rows of an incomplete step are left
        out, unless it is the only step.
    batch : int
        Rows of one batch: `step` divided by the number of accumulated batches.
    workers : int
        Threads that decode batches ahead; 0 decodes each batch when it is requested. The batches do not depend on it.
    """

    image_set: ImageSet
    rows: np.ndarray
    targets: Targets
    order: Order
    step: int
    batch: int
    workers: int = 0

    @property
    def rows_per_epoch(self) -> int:
        """Number of rows in one epoch."""
        return len(self.rows) // self.step * self.step or len(self.rows)

    def __call__(self, epoch: int, shard: Shard) -> Iterator[tuple[Tensor, Targets]]:
        """Yield the batches of an epoch; a pure function of epoch and shard.

        Parameters
        ----------
        epoch : int
            Counted from 0.
        shard : Shard

        Yields
        ------
        images : Tensor of uint8, shape (b, P, P, 3)
            The shard's share of each batch.
        targets : Targets

        Raises
        ------
        InputError
            If the processes cannot share the batches equally.
        """
        rows = min(self.batch, self.rows_per_epoch)
        if rows % shard.of:
            raise InputError(
                f"batches of {rows} images cannot be shared equally by {shard.of} processes; choose a "
                f"batch_size that is a multiple of {shard.of}, or fewer devices"
            )
        order = self.order(epoch)
        shares = [
            order[start : min(start + self.batch, self.rows_per_epoch)][shard.index :: shard.of]
            for start in range(0, self.rows_per_epoch, self.batch)
        ]
        images = prefetch_images(self.image_set, [self.rows[share] for share in shares], self.workers)
        for share, pixels in zip(shares, images):
            index = torch.from_numpy(share)
            yield (
                torch.from_numpy(pixels),
                {name: (target[index], valid[index]) for name, (target, valid) in self.targets.items()},
            )


def iter_image_batches(image_set: ImageSet, rows: np.ndarray, workers: int = 0) -> Iterator[Tensor]:
    """Yield the images of the rows in their order, in batches of uint8 [b, S, S, 3]."""
    block = min(max(EVAL_PIXELS // image_set.preprocessing.input_size**2, 16), 256)
    parts = [rows[start : start + block] for start in range(0, len(rows), block)]
    yield from map(torch.from_numpy, prefetch_images(image_set, parts, workers))


def prefetch_images(image_set: ImageSet, batches: list[np.ndarray], workers: int) -> Iterator[np.ndarray]:
    """Yield the images of each batch of rows in order; threads, if there are any, decode some batches ahead."""
    if workers == 0:
        yield from map(image_set.get, batches)
        return
    pool, pending = ThreadPoolExecutor(workers), deque[tuple[np.ndarray, list[Future]]]()
    largest = max((len(rows) for rows in batches), default=1)
    ahead = max(2, -(-2 * workers * CHUNK // max(largest, 1)))
    try:
        for rows in batches:
            pending.append(_submit(image_set, rows, pool))
            if len(pending) > ahead:
                yield _wait(pending.popleft())
        while pending:
            yield _wait(pending.popleft())
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _submit(image_set: ImageSet, rows: np.ndarray, pool: ThreadPoolExecutor) -> tuple[np.ndarray, list[Future]]:
    images = image_set.empty(len(rows))
    return images, [
        pool.submit(image_set.fill, images[start : start + CHUNK], rows[start : start + CHUNK])
        for start in range(0, len(rows), CHUNK)
    ]


def _wait(batch: tuple[np.ndarray, list[Future]]) -> np.ndarray:
    images, futures = batch
    for future in futures:
        future.result()
    return images


def measure_loading_rate(loader: ImageLoader, inputs: ImageTransform, device: torch.device, seconds: float) -> float:
    """Measure the speed of decoding and augmentation without training.

    Parameters
    ----------
    loader : ImageLoader
    inputs : ImageTransform
    device : torch.device
    seconds : float
        Duration of the measurement. It ends earlier if the epoch is over.

    Returns
    -------
    float
        Images per second.
    """
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
