"""Frames become pieces of a reading: one thread decodes, one finds faces, others run the networks, all at once.

Crops of several frames make a batch, and batches never cross a piece: what comes out depends neither on the number of
threads nor on where a killed run had stopped.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np

from harness.inference.chunks import Chunk
from harness.inference.face_stage import FaceStage, FrameFaces
from harness.inference.forward import ForwardPass
from harness.inference.prefetch import Prefetcher

if TYPE_CHECKING:
    from harness.video.frames import Frame

FRAMES = 256
"""Of a piece."""
DECODED, LOOKED = 8, 16
"""Frames that wait between stages at most."""


class Pipeline:
    """The threads of all stages.

    margins: which of a frame's crops each forward pass reads; tell: called with frames looked at so far.
    """

    def __init__(self, looker: FaceStage, forwards: Sequence[ForwardPass], margins: Sequence[int], size: int = FRAMES,
                 tell: Callable[[int], None] = lambda frames: None) -> None:
        self.looker, self.forwards, self.margins, self.size, self.tell = looker, forwards, margins, size, tell

    def pieces(self, frames: Iterable[Frame]) -> Iterator[Chunk]:
        """The pieces of all frames, in order; the last one may be short."""
        pools = [_pool(forward.workers) for forward in self.forwards]
        most = 2 * sum(forward.workers for forward in self.forwards)
        running: deque[Future] = deque()
        works: deque[_Work] = deque()
        try:
            with Prefetcher(frames, DECODED) as decoded, Prefetcher(map(self.looker, decoded), LOOKED) as seen:
                work = self._begun(pools)
                for done, one in enumerate(seen, 1):
                    running += work.add(one)
                    while len(running) > most:
                        running.popleft().result()
                    self.tell(done)
                    if len(work.seen) == self.size:
                        running += work.rest()
                        works.append(work)
                        work = self._begun(pools)
                    while works and works[0].done:
                        yield works.popleft().piece()
            if work.seen:
                work.rest()
                works.append(work)
            for work in works:
                yield work.piece()
        finally:
            for pool in pools:
                pool.shutdown(cancel_futures=True)

    def _begun(self, pools: Sequence[ThreadPoolExecutor]) -> _Work:
        return _Work([_Batches(*parts) for parts in zip(self.forwards, pools, self.margins)])


class _Batches:
    """The crops of a piece on their way through one forward pass."""

    def __init__(self, forward: ForwardPass, pool: ThreadPoolExecutor, margin: int) -> None:
        self.forward, self.pool, self.margin = forward, pool, margin
        self.waiting: list[np.ndarray] = []
        self.results: list[Future[list[np.ndarray]]] = []

    def add(self, crops: Sequence[np.ndarray]) -> list[Future]:
        self.waiting += crops
        started = []
        while len(self.waiting) >= self.forward.size:
            started.append(self._start(self.waiting[:self.forward.size]))
            self.waiting = self.waiting[self.forward.size:]
        return started

    def rest(self) -> list[Future]:
        started = [self._start(self.waiting)] if self.waiting else []
        self.waiting = []
        return started

    def outputs(self) -> list[np.ndarray]:
        """[N, C] of each reader."""
        batches = [result.result() for result in self.results]
        return [np.concatenate([np.zeros((0, reader.task.width), np.float32), *(batch[i] for batch in batches)])
                for i, reader in enumerate(self.forward.readers)]

    def _start(self, crops: list[np.ndarray]) -> Future:
        self.results.append(self.pool.submit(self.forward, crops))
        return self.results[-1]


class _Work:
    """A piece that is being made."""

    def __init__(self, batches: Sequence[_Batches]) -> None:
        self.batches = batches
        self.seen: list[FrameFaces] = []

    def add(self, seen: FrameFaces) -> list[Future]:
        started = [future for batches in self.batches for future in batches.add(seen.crops[batches.margin])]
        self.seen.append(seen.light())
        return started

    def rest(self) -> list[Future]:
        return [future for batches in self.batches for future in batches.rest()]

    @property
    def done(self) -> bool:
        return all(result.done() for batches in self.batches for result in batches.results)

    def piece(self) -> Chunk:
        at = np.repeat(np.arange(len(self.seen)), [len(one.ids) for one in self.seen])
        return Chunk(np.array([one.number for one in self.seen], np.int32),
                     np.array([one.seconds for one in self.seen], np.float64),
                     np.array([one.size for one in self.seen], np.int32).reshape(-1, 2), at.astype(np.int32),
                     np.concatenate([one.boxes for one in self.seen]).reshape(-1, 4).astype(np.float32),
                     np.concatenate([one.scores for one in self.seen]).astype(np.float32),
                     np.concatenate([one.hints for one in self.seen]).astype(np.int64),
                     _stacked([one.looks for one in self.seen]),
                     tuple(outputs for batches in self.batches for outputs in batches.outputs()))


def _stacked(looks: Sequence[np.ndarray]) -> np.ndarray:
    """[N, L]; a frame without a face has rows of no width."""
    there = [one for one in looks if len(one)]
    return np.concatenate(there) if there else np.zeros((0, 0), np.float16)


def _pool(workers: int) -> ThreadPoolExecutor:
    import torch

    return ThreadPoolExecutor(workers, "forward", initializer=torch.set_num_threads, initargs=(1,))
