"""Crops on disk become features, batch by batch: worker threads decode, resize and normalise, and an engine computes.

An engine whose calls keep to one core is called by the workers themselves: they wait for nobody, where a network
spread over the cores waits at every layer for the slowest of them. An engine that wants one caller (a GPU) is fed by
a thread of its own while the workers prepare what comes next. What comes out does not depend on the number of workers.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import numpy as np
import torch

from backbones.preprocessing import normalize
from backbones.resizing import resize_batch
from harness.data.image_decoding import CorruptImageError, decode_image

if TYPE_CHECKING:
    from backbones import Backbone, BackboneInfo, Preprocessing
    from backbones.engines.engine import Engine

BATCH_PIXELS = 64 * 64 * 64
DEVICE_ENGINE, DEVICE_BATCH_SIZE = "cuda", 256
"""The engine that wants one caller, and the crops of its batches: as many as are extracted together at least."""


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


@dataclass(frozen=True)
class _PreparedBatch:
    """Sound crops as the network expects them, float32 [B, 3, S, S], in the `memory` they borrow."""

    pixels: np.ndarray
    memory: np.ndarray
    faults: dict[int, str]


def batch_size(preprocessing: Preprocessing) -> int:
    """Crops of a batch: a function of the input size alone, since rounding depends on it."""
    return int(np.clip(BATCH_PIXELS // preprocessing.input_size**2, 8, 64))


def engine_batch_size(engine: str, preprocessing: Preprocessing) -> int:
    """Crops of a batch that an engine of that name is opened for."""
    return DEVICE_BATCH_SIZE if engine == DEVICE_ENGINE else batch_size(preprocessing)


class ExtractionPipeline(Generic[Work]):
    """The workers of one engine, for as long as the context lasts.

    backbone: whose engine it is, or what is known of it.
    """

    def __init__(self, engine: Engine, backbone: Backbone | BackboneInfo, workers: int) -> None:
        self.engine = engine
        self.preprocessing = backbone.spec.preprocessing
        self.widths = backbone.embedding_width, backbone.score_width
        self.size = engine_batch_size(engine.name, self.preprocessing)
        self.workers = workers
        self.memories: SimpleQueue[np.ndarray] = SimpleQueue()

    def __enter__(self) -> ExtractionPipeline[Work]:
        self.threads_before = torch.get_num_threads()
        self.pool = ThreadPoolExecutor(self.workers, "extract", initializer=torch.set_num_threads, initargs=(1,))
        self.feeder = None if self.engine.concurrent else ThreadPoolExecutor(1, "feed")
        return self

    def __exit__(self, *_: Any) -> None:
        for pool in (self.pool, self.feeder):
            if pool is not None:
                pool.shutdown(cancel_futures=True)
        torch.set_num_threads(self.threads_before)

    def batches(self, works: Iterable[Work]) -> Iterator[tuple[Work, Batch]]:
        """The batches of each piece of work, in order; work without a crop gives one empty batch."""
        ahead: deque[tuple[Work, Callable[[], Batch]]] = deque()
        for work in works:
            for start in range(0, max(len(work.paths), 1), self.size):
                stop = min(start + self.size, len(work.paths))
                ahead.append((work, self._submit(work.paths[start:stop], start, stop).result))
                if len(ahead) > 2 * self.workers:
                    ready, result = ahead.popleft()
                    yield ready, result()
        for ready, result in ahead:
            yield ready, result()

    def _submit(self, paths: list[Path], start: int, stop: int) -> Future[Batch]:
        if self.feeder is None:
            return self.pool.submit(lambda: self._compute(self._prepare(paths, start), start, stop))
        prepared = self.pool.submit(self._prepare, paths, start)
        return self.feeder.submit(lambda: self._compute(prepared.result(), start, stop))

    def _prepare(self, paths: list[Path], start: int) -> _PreparedBatch:
        images, faults = [], {}
        for row, path in enumerate(paths, start):
            try:
                images.append(decode_image(path))
            except CorruptImageError as error:
                faults[row] = error.reason
        memory = self._acquire_buffer()
        if not images:
            return _PreparedBatch(memory[:0].transpose(0, 3, 1, 2), memory, faults)
        resized = resize_batch(images, self.preprocessing)
        return _PreparedBatch(normalize(resized, self.preprocessing, memory[: len(images)]), memory, faults)

    def _compute(self, prepared: _PreparedBatch, start: int, stop: int) -> Batch:
        arrays = (
            self.engine(prepared.pixels)
            if len(prepared.pixels)
            else [np.zeros((0, width), np.float32) for width in self.widths]
        )
        self.memories.put(prepared.memory)
        return Batch(start, stop, dict(zip(("embeddings", "scores"), arrays)), prepared.faults)

    def _acquire_buffer(self) -> np.ndarray:
        """float32 [size, S, S, 3] that no batch uses at the moment: fresh memory costs a page fault every 4 KB."""
        try:
            return self.memories.get_nowait()
        except Empty:
            side = self.preprocessing.input_size
            return np.empty((self.size, side, side, 3), np.float32)
