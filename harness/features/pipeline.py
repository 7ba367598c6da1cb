"""Worker threads that take a batch of crops from disk to features, each on one core.

Every worker decodes, resizes, normalises and runs the network with one torch thread. Workers wait for nobody, where
a network spread over the cores waits at every layer for the slowest of them; and what comes out does not depend on
their number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import torch

from backbones.preprocessing import normalise, resize
from harness.features.decode import CorruptImage, decode

if TYPE_CHECKING:
    from backbones import Backbone, Preprocessing

BATCH_PIXELS = 64 * 64 * 64


class HasPaths(Protocol):
    paths: list[Path]


Work = TypeVar("Work", bound=HasPaths)


@dataclass(frozen=True)
class Batch:
    """Rows start to stop of a piece of work: features of the sound crops [B, D], [B, K]; reasons of the others."""

    start: int
    stop: int
    arrays: dict[str, np.ndarray]
    faults: dict[int, str]


def batch_size(preprocessing: Preprocessing) -> int:
    """Crops of a batch: a function of the input size alone, since rounding depends on it."""
    return int(np.clip(BATCH_PIXELS // preprocessing.input_size**2, 8, 64))


class Pipeline(Generic[Work]):
    """The workers of one backbone, for as long as the context lasts."""

    def __init__(self, backbone: Backbone, workers: int) -> None:
        self.backbone = backbone.eval().to(memory_format=torch.channels_last)
        self.preprocessing = backbone.spec.preprocessing
        self.size = batch_size(self.preprocessing)
        self.workers = workers

    def __enter__(self) -> Pipeline[Work]:
        self.threads_before = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.workers, "extract", initializer=torch.set_num_threads, initargs=(1,))
        return self

    def __exit__(self, *_: Any) -> None:
        self.pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self.threads_before)

    def batches(self, works: Iterable[Work]) -> Iterator[tuple[Work, Batch]]:
        """The batches of each piece of work, in order; work without a crop gives one empty batch."""
        ahead: deque[tuple[Work, Callable[[], Batch]]] = deque()
        for work in works:
            for start in range(0, max(len(work.paths), 1), self.size):
                stop = min(start + self.size, len(work.paths))
                ahead.append((work, self.pool.submit(self._batch, work.paths, start, stop).result))
                if len(ahead) > 2 * self.workers:
                    ready, result = ahead.popleft()
                    yield ready, result()
        for ready, result in ahead:
            yield ready, result()

    def _batch(self, paths: list[Path], start: int, stop: int) -> Batch:
        size = self.preprocessing.input_size
        images, count, faults = np.empty((stop - start, size, size, 3), np.uint8), 0, {}
        for row in range(start, stop):
            try:
                images[count] = resize(decode(paths[row]), self.preprocessing)
                count += 1
            except CorruptImage as error:
                faults[row] = error.reason
        return Batch(start, stop, self._forward(images[:count]), faults)

    def _forward(self, images: np.ndarray) -> dict[str, np.ndarray]:
        if not len(images):
            return {"embeddings": np.zeros((0, self.backbone.embedding_width), np.float32),
                    "scores": np.zeros((0, self.backbone.score_width), np.float32)}
        with torch.inference_mode():
            embeddings, scores = self.backbone(torch.from_numpy(normalise(images, self.preprocessing)))
        return {"embeddings": embeddings.numpy(), "scores": scores.numpy()}
