"""Pipeline from frames to chunks of predictions, with decoding, face detection and networks in parallel threads.

A batch may contain crops of several frames, but only of one chunk, and an interrupted command resumes at the beginning
of a chunk. Batches are therefore composed of the same crops after an interruption and with any number of threads, and
give the same outputs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
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
"""Frames per chunk."""
DECODED, DETECTED = 8, 16
"""How many decoded frames, and how many frames with detected faces, may wait for the next stage."""


class PredictPipeline:
    """Pipeline of detection, tracking and forward passes.

    Parameters
    ----------
    face_stage : FaceStage
    forwards : sequence of ForwardPass
    framings : sequence of int
        For each forward pass: index, in `FrameFaces.crops`, of the crops that it reads.
    size : int
        Frames per chunk.
    progress : callable
        Called with the number of frames that have passed the face stage.
    """

    def __init__(
        self,
        face_stage: FaceStage,
        forwards: Sequence[ForwardPass],
        framings: Sequence[int],
        size: int = FRAMES,
        progress: Callable[[int], None] = lambda frames: None,
    ) -> None:
        self.face_stage, self.forwards, self.framings = face_stage, forwards, framings
        self.size, self.progress = size, progress

    def chunks(self, frames: Iterable[Frame]) -> Generator[Chunk, None, None]:
        """Yield the chunks of all frames in order; the last one may be shorter."""
        pools = [_pool(forward.workers) for forward in self.forwards]
        most = 2 * sum(forward.workers for forward in self.forwards)
        running: deque[Future] = deque()
        builders: deque[_ChunkBuilder] = deque()
        try:
            with (
                Prefetcher(frames, DECODED) as decoded,
                Prefetcher(map(self.face_stage, decoded), DETECTED) as detected,
            ):
                builder = self._builder(pools)
                for done, faces in enumerate(detected, 1):
                    running += builder.add(faces)
                    while len(running) > most:
                        running.popleft().result()
                    self.progress(done)
                    if len(builder.frames) == self.size:
                        running += builder.flush()
                        builders.append(builder)
                        builder = self._builder(pools)
                    while builders and builders[0].done:
                        yield builders.popleft().chunk()
            if builder.frames:
                builder.flush()
                builders.append(builder)
            for builder in builders:
                yield builder.chunk()
        finally:
            for pool in pools:
                pool.shutdown(cancel_futures=True)

    def _builder(self, pools: Sequence[ThreadPoolExecutor]) -> _ChunkBuilder:
        return _ChunkBuilder([_Batches(*parts) for parts in zip(self.forwards, pools, self.framings)])


class _Batches:
    """Crops of a chunk for one forward pass, collected into batches."""

    def __init__(self, forward: ForwardPass, pool: ThreadPoolExecutor, framing: int) -> None:
        self.forward, self.pool, self.framing = forward, pool, framing
        self.waiting: list[np.ndarray] = []
        self.results: list[Future[list[np.ndarray]]] = []

    def add(self, crops: Sequence[np.ndarray]) -> list[Future]:
        """Add crops and start the batches that are full."""
        self.waiting += crops
        started = []
        while len(self.waiting) >= self.forward.size:
            started.append(self._start(self.waiting[: self.forward.size]))
            self.waiting = self.waiting[self.forward.size :]
        return started

    def flush(self) -> list[Future]:
        """Start the last batch, which may be shorter."""
        started = [self._start(self.waiting)] if self.waiting else []
        self.waiting = []
        return started

    def outputs(self) -> list[np.ndarray]:
        """Wait for the batches and return the outputs of each run, with one row for each crop of the chunk."""
        batches = [result.result() for result in self.results]
        return [
            np.concatenate([np.zeros((0, run.task.width), np.float32), *(batch[i] for batch in batches)])
            for i, run in enumerate(self.forward.readers)
        ]

    def _start(self, crops: list[np.ndarray]) -> Future:
        self.results.append(self.pool.submit(self.forward, crops))
        return self.results[-1]


class _ChunkBuilder:
    """Builder of a chunk from frames and their outputs."""

    def __init__(self, batches: Sequence[_Batches]) -> None:
        self.batches = batches
        self.frames: list[FrameFaces] = []

    def add(self, faces: FrameFaces) -> list[Future]:
        """Add a frame and start the batches that are full."""
        started = [future for batches in self.batches for future in batches.add(faces.crops[batches.framing])]
        self.frames.append(faces.without_crops())
        return started

    def flush(self) -> list[Future]:
        """Start all remaining batches."""
        return [future for batches in self.batches for future in batches.flush()]

    @property
    def done(self) -> bool:
        """Whether every started batch is finished."""
        return all(result.done() for batches in self.batches for result in batches.results)

    def chunk(self) -> Chunk:
        """Build the chunk; waits for its batches."""
        frames = self.frames
        at = np.repeat(np.arange(len(frames)), [len(faces.ids) for faces in frames])
        return Chunk(
            np.array([faces.number for faces in frames], np.int32),
            np.array([faces.seconds for faces in frames], np.float64),
            np.array([faces.duration for faces in frames], np.float64),
            np.array([faces.size for faces in frames], np.int32).reshape(-1, 2),
            at.astype(np.int32),
            np.concatenate([faces.boxes for faces in frames]).reshape(-1, 4).astype(np.float32),
            np.concatenate([faces.scores for faces in frames]).astype(np.float32),
            np.concatenate([faces.hints for faces in frames]).astype(np.int64),
            np.concatenate([faces.ids for faces in frames]).astype(np.int64),
            _stack_nonempty([faces.appearance for faces in frames]),
            tuple(outputs for batches in self.batches for outputs in batches.outputs()),
        )


def _stack_nonempty(appearances: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate the descriptors of the faces of all frames; if there are no faces, the shape is (0, 0)."""
    nonempty = [appearance for appearance in appearances if len(appearance)]
    return np.concatenate(nonempty) if nonempty else np.zeros((0, 0), np.float16)


def _pool(workers: int) -> ThreadPoolExecutor:
    import torch

    return ThreadPoolExecutor(workers, "forward", initializer=torch.set_num_threads, initargs=(1,))
