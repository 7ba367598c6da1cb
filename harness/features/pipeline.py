"""Pipeline from crops on disk to features: worker threads decode, resize and normalize crops for an engine.

Usually each worker also calls the engine, and each call runs on one core: a network that is spread over several cores
would have to synchronize them at every layer. An engine that allows only one caller at a time (a GPU) is called by a
separate thread instead, while the workers prepare the next batches. The features do not depend on the number of
workers.
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
"""Name and batch size of the engine that allows only one caller. The batch size equals the minimum size of a chunk, see
`harness.features.extraction.CHUNK_FRAMES`."""


class HasPaths(Protocol):
    """A unit of work: an object with the paths of the crops to process."""

    paths: list[Path]


Work = TypeVar("Work", bound=HasPaths)


@dataclass(frozen=True)
class Batch:
    """Features of consecutive crops of a unit of work.

    Attributes
    ----------
    start, stop : int
        Indices, in the unit of work, of the first crop and of the crop after the last.
    arrays : dict of str to float32 ndarray
        `embeddings` of shape (B, D) and `scores` of shape (B, K) of the crops that could be decoded.
    faults : dict of int to str
        Reasons why crops could not be decoded, by index of the crop in the unit of work.
    """

    start: int
    stop: int
    arrays: dict[str, np.ndarray]
    faults: dict[int, str]


@dataclass(frozen=True)
class _PreparedBatch:
    """Decoded crops of a batch; `pixels`, float32 [crops, 3, height, width], is a view of the buffer `memory`."""

    pixels: np.ndarray
    memory: np.ndarray
    faults: dict[int, str]


def batch_size(preprocessing: Preprocessing) -> int:
    """Return the batch size; it affects the rounding of features, so it depends on nothing but the input size."""
    return int(np.clip(BATCH_PIXELS // preprocessing.input_size**2, 8, 64))


def engine_batch_size(engine: str, preprocessing: Preprocessing) -> int:
    """Return the batch size that an engine is opened for."""
    return DEVICE_BATCH_SIZE if engine == DEVICE_ENGINE else batch_size(preprocessing)


class ExtractionPipeline(Generic[Work]):
    """Context manager with the worker threads of one engine.

    Parameters
    ----------
    engine : Engine
        Computes the forward passes.
    backbone : Backbone or BackboneInfo
        The backbone of the engine.
    workers : int
        Number of worker threads.
    upright : bool, default False
        Whether crops are turned upright by their EXIF orientation; see `Dataset.upright`.
    """

    def __init__(self, engine: Engine, backbone: Backbone | BackboneInfo, workers: int, upright: bool = False) -> None:
        self.engine = engine
        self.upright = upright
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
        """Compute the batches of each unit of work, in order.

        Parameters
        ----------
        works : iterable of objects with `paths`
            Consumed lazily.

        Yields
        ------
        work : object
            The unit of work.
        batch : Batch
            One of its batches; a unit of work without crops has one empty batch.
        """
        pending: deque[tuple[Work, Callable[[], Batch]]] = deque()
        for work in works:
            for start in range(0, max(len(work.paths), 1), self.size):
                stop = min(start + self.size, len(work.paths))
                pending.append((work, self._submit(work.paths[start:stop], start, stop).result))
                if len(pending) > 2 * self.workers:
                    first, result = pending.popleft()
                    yield first, result()
        for first, result in pending:
            yield first, result()

    def _submit(self, paths: list[Path], start: int, stop: int) -> Future[Batch]:
        if self.feeder is None:
            return self.pool.submit(lambda: self._compute(self._prepare(paths, start), start, stop))
        prepared = self.pool.submit(self._prepare, paths, start)
        return self.feeder.submit(lambda: self._compute(prepared.result(), start, stop))

    def _prepare(self, paths: list[Path], start: int) -> _PreparedBatch:
        images, faults = [], {}
        for row, path in enumerate(paths, start):
            try:
                images.append(decode_image(path, self.upright))
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
        """Return the buffer of a finished batch, or a new one; new memory costs a page fault for every 4 KB."""
        try:
            return self.memories.get_nowait()
        except Empty:
            side = self.preprocessing.input_size
            return np.empty((self.size, side, side, 3), np.float32)
