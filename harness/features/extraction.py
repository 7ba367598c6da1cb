"""Crops on disk become features in the store.

Work is cut into chunks that depend on the dataset alone, and batches never cross a chunk: what is stored does not
depend on what a killed run had already done, nor on who else extracts at the same time.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import backbones
from harness.data.dataset import Dataset, Sequence
from harness.data.fingerprint import dataset_digest
from harness.features.chunk_locks import ChunkLocks
from harness.features.engine_choice import EngineSelector
from harness.features.store import FeatureEntry, FeatureStore
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from backbones import Backbone, BackboneInfo
    from harness.features.pipeline import Batch

CHUNK_FRAMES = 256
Progress = Callable[[int, int, float, float], None]
"""Called with frames done, frames in all, frames a second and seconds left."""


def extract(  # noqa: PLR0913 - public, one keyword for each option
    dataset: Dataset,
    backbone: Backbone | BackboneInfo,
    store: FeatureStore,
    dtype: str = "float16",
    progress: Progress | None = None,
    threads: int | None = None,
    images: str | None = None,
    computing: EngineSelector | None = None,
) -> FeatureEntry:
    """The features of every crop of `dataset`; what the store already has is not computed again.

    backbone: loaded, or what `backbones.get_info` says of it: then torch is imported only if there is work to do.
    dtype: float16 or float32, as stored. threads: workers of one core each (default: every core); the results do not
    depend on them. images: the dataset's digest where the caller has it. computing: by which engine and in which
    precision the network runs (default: the soonest, in float32, with what it exports kept beside the entries).
    Corrupt crops are listed in the entry and left out. Raises FramelightError for features that are not finite (the
    sequence is named) or a store that cannot be written, BackboneError for an engine that cannot be had.
    """
    computing = computing or EngineSelector(store.root / ".engines")
    images = dataset_digest(dataset, store.digests) if images is None else images
    found = store.find(backbone, images, dtype, computing.compute)
    if found is not None:
        computing.log_reuse(found)
        return found
    known = isinstance(backbone, backbones.BackboneInfo)
    loaded = backbones.load(backbone.reference, backbone.checkpoints) if known else backbone
    key, names = store.key(loaded, images, dtype, computing.compute), sorted(dataset.sequences)
    found = store.find(loaded, images, dtype, computing.compute)
    if found is not None:
        return found
    _Extraction(
        dataset, loaded, _FeatureWriter(store, key, dtype, dataset.root), computing, threads or os.cpu_count() or 1
    ).run(_make_chunks(dataset, names), progress)
    return store.complete(
        key,
        names,
        {
            "backbone": {
                "reference": loaded.reference,
                "label": loaded.label,
                "weights": loaded.weights,
                "weights_hash": loaded.weights_hash,
                "is_random": loaded.is_random,
                "preprocessing": loaded.spec.preprocessing.as_dict(),
                "score_labels": list(loaded.score_labels),
            },
            "data_digest": images,
            "dtype": dtype,
            "engine": computing.read_metadata(store.root / key),
            "widths": {"embeddings": loaded.embedding_width, "scores": loaded.score_width},
        },
    )


@dataclass(frozen=True)
class _Chunk:
    """Sequences that are extracted together, by name: the paths of a whole data set would fill memory."""

    names: tuple[str, ...]
    crops: int


def _make_chunks(dataset: Dataset, names: list[str]) -> list[_Chunk]:
    """Sequences in name order, grouped until a group has CHUNK_FRAMES crops."""
    chunks, current, size = [], [], 0
    for name in names:
        current.append(name)
        size += len(dataset.sequences[name].images)
        if size >= CHUNK_FRAMES:
            chunks.append(_Chunk(tuple(current), size))
            current, size = [], 0
    return [*chunks, _Chunk(tuple(current), size)] if current else chunks


@dataclass(frozen=True)
class _FeatureWriter:
    store: FeatureStore
    key: str
    dtype: str
    root: Path

    def is_complete(self, chunk: _Chunk) -> bool:
        return not self.missing_sequences(chunk.names)

    def missing_sequences(self, names: Iterable[str]) -> set[str]:
        return {name for name in names if not self.store.sequence_path(self.key, name).is_dir()}

    def relative_path(self, image: Path) -> str:
        return str(image.relative_to(self.root)) if image.is_relative_to(self.root) else str(image)


@dataclass
class _ChunkExtraction:
    """One chunk on its way: its arrays fill batch by batch and are stored when the last has come."""

    number: int
    sequences: tuple[Sequence, ...]
    to: _FeatureWriter
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.paths = [path for sequence in self.sequences for path in sequence.images]

    def add_batch(self, batch: Batch) -> None:
        rows = np.setdiff1d(np.arange(batch.start, batch.stop), list(batch.faults), assume_unique=True)
        self.reasons |= batch.faults
        for part, values in batch.arrays.items():
            if part not in self.arrays:
                self.arrays[part] = np.zeros((len(self.paths), values.shape[1]), self.to.dtype)
            with np.errstate(over="ignore"):  # a value too large for float16 is found before it is stored, and named
                self.arrays[part][rows] = values

    def write(self) -> None:
        sound = np.ones(len(self.paths), bool)
        sound[list(self.reasons)] = False
        wanted, start = self.to.missing_sequences(sequence.name for sequence in self.sequences), 0
        for sequence in self.sequences:
            if sequence.name in wanted:
                self._write_sequence(sequence, start, sound[start : start + len(sequence.images)])
            start += len(sequence.images)

    def _write_sequence(self, sequence: Sequence, start: int, sound: np.ndarray) -> None:
        stored = {part: array[start : start + len(sound)][sound] for part, array in self.arrays.items()}
        _check_finite(sequence, stored)
        corrupt = [
            {
                "sequence": sequence.name,
                "frame": int(sequence.frames[at]),
                "image": self.to.relative_path(sequence.images[at]),
                "reason": self.reasons[start + at],
            }
            for at in np.flatnonzero(~sound).tolist()
        ]
        frames = np.asarray(sequence.frames, np.int32)[sound]
        self.to.store.write_sequence(self.to.key, sequence.name, {**stored, "frames": frames}, corrupt)


@dataclass(frozen=True)
class _Extraction:
    dataset: Dataset
    backbone: Backbone
    writer: _FeatureWriter
    selector: EngineSelector
    threads: int

    def run(self, chunks: list[_Chunk], progress: Progress | None) -> None:
        from harness.features.pipeline import ExtractionPipeline

        writer, folder = self.writer, self.writer.store.root / self.writer.key
        crops = sum(chunk.crops for chunk in chunks)  # of all, done or not: resuming must come to the same choice
        engine = self.selector.select_engine(folder, self.backbone, self.threads, crops)
        meter = _ThroughputMeter(progress, crops, sum(chunk.crops for chunk in chunks if writer.is_complete(chunk)))
        with ChunkLocks(folder) as locks, ExtractionPipeline(engine, self.backbone, self.threads) as pipeline:
            for claimed in (locks.iter_available, locks.iter_remaining):
                works = (
                    _ChunkExtraction(number, tuple(self.dataset.sequences[name] for name in chunk.names), writer)
                    for number, chunk in claimed(chunks, writer.is_complete)
                )
                for work, batch in pipeline.batches(works):
                    work.add_batch(batch)
                    meter.add(batch.stop - batch.start)
                    if batch.stop == len(work.paths):
                        work.write()
                        locks.release(work.number)
            meter.finish()


def _check_finite(sequence: Sequence, stored: dict[str, np.ndarray]) -> None:
    for part, values in stored.items():
        bad = int((~np.isfinite(values).all(axis=1)).sum())
        if bad:
            raise FramelightError(
                f"{bad} of {len(values)} {part} of sequence '{sequence.name}' are not finite numbers "
                f"as {values.dtype}; extract with float32, or use other weights"
            )


class _ThroughputMeter:
    """Counts frames as they are done; what was there before counts as done, not as speed."""

    def __init__(self, progress: Progress | None, total: int, before: int) -> None:
        self.progress, self.total, self.before = progress, total, before
        self.worked, self.start = 0, time.perf_counter()

    def add(self, frames: int) -> None:
        self.worked += frames
        self._report(self.before + self.worked)

    def finish(self) -> None:
        """What others have done meanwhile."""
        if self.before + self.worked < self.total:
            self._report(self.total)

    def _report(self, done: int) -> None:
        if self.progress is not None:
            rate = self.worked / max(time.perf_counter() - self.start, 1e-9)
            self.progress(done, self.total, rate, (self.total - done) / rate if rate else 0.0)
