"""Extract the features of the crops of a dataset into the store.

The crops are divided into chunks that depend on the dataset alone, and no batch spans two chunks. The stored features
therefore depend neither on where an earlier run was interrupted nor on other processes that extract at the same time.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import backbones
from backbones.processors import available_processors
from harness.data.dataset import Dataset, Sequence
from harness.data.fingerprint import dataset_digest
from harness.features.chunk_locks import ChunkLocks
from harness.features.engine_choice import EngineSelector
from harness.features.entry import FeatureEntry
from harness.features.store import FeatureStore
from harness.utils.errors import FramelightError, InputError

if TYPE_CHECKING:
    from backbones import Backbone, BackboneInfo
    from harness.features.pipeline import Batch

CHUNK_FRAMES = 256
"""Minimum number of crops of a chunk; the last chunk may have fewer."""
Progress = Callable[[int, int, float, float], None]
"""Called with frames done, total frames, frames per second and seconds left."""


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
    """Extract the features of every crop of a dataset, or return the entry that the store already has.

    Corrupt crops are listed in the entry and left out.

    Parameters
    ----------
    dataset : Dataset
        The dataset.
    backbone : Backbone or BackboneInfo
        A `BackboneInfo` from `backbones.get_info` avoids the import of torch if all features exist.
    store : FeatureStore
        Store of the entry.
    dtype : {"float16", "float32"}
        Precision of the stored features.
    progress : callable, optional
        Called after each batch, see `Progress`.
    threads : int, optional
        Number of worker threads, one core each. Default: all available cores. The number may affect which engine is
        fastest, but not the features that an engine computes.
    images : str, optional
        Digest of the images. Default: it is computed.
    computing : EngineSelector, optional
        Engine and precision of the forward passes. Default: the fastest engine, in float32. Exported models and
        measured speeds of engines are then cached inside the store.

    Returns
    -------
    FeatureEntry
        The complete entry.

    Raises
    ------
    InputError
        If the dataset has no image.
    FramelightError
        If features are not finite, or if the store is not writable.
    BackboneError
        If the engine cannot be used.
    """
    computing = computing or EngineSelector(store.root / ".engines")
    images = dataset_digest(dataset, store.digests) if images is None else images
    entry = store.find(backbone, images, dtype, computing.compute)
    if entry is not None:
        computing.log_reuse(entry)
        return entry
    names = sorted(dataset.sequences)
    chunks = _make_chunks(dataset, names)
    if not any(chunk.crops for chunk in chunks):
        raise InputError(f"{dataset.root}: no image to extract features of; see `framelight data check`")
    if isinstance(backbone, backbones.BackboneInfo):
        loaded = backbones.load(backbone.reference, backbone.checkpoints)
    else:
        loaded = backbone
    key = store.key(loaded, images, dtype, computing.compute)
    entry = store.find(loaded, images, dtype, computing.compute)
    if entry is not None:
        return entry
    _Extraction(
        dataset, loaded, _FeatureWriter(store, key, dtype, dataset.root), computing, threads or available_processors()
    ).run(chunks, progress)
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
    """Names of sequences that are extracted together; the paths of all their images would take too much memory."""

    names: tuple[str, ...]
    crops: int


def _make_chunks(dataset: Dataset, names: list[str]) -> list[_Chunk]:
    """Group the sequences, in name order, into chunks of at least `CHUNK_FRAMES` crops."""
    chunks: list[_Chunk] = []
    current: list[str] = []
    size = 0
    for name in names:
        current.append(name)
        size += len(dataset.sequences[name].images)
        if size >= CHUNK_FRAMES:
            chunks.append(_Chunk(tuple(current), size))
            current, size = [], 0
    return [*chunks, _Chunk(tuple(current), size)] if current else chunks


@dataclass(frozen=True)
class _FeatureWriter:
    """Destination of the sequences of an entry."""

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
    """Arrays of one chunk, filled batch by batch and written to the store after the last batch."""

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
            with np.errstate(over="ignore"):  # _check_finite reports values that are too large for float16
                self.arrays[part][rows] = values

    def write(self) -> None:
        decoded = np.ones(len(self.paths), bool)
        decoded[list(self.reasons)] = False
        missing, start = self.to.missing_sequences(sequence.name for sequence in self.sequences), 0
        for sequence in self.sequences:
            if sequence.name in missing:
                self._write_sequence(sequence, start, decoded[start : start + len(sequence.images)])
            start += len(sequence.images)

    def _write_sequence(self, sequence: Sequence, start: int, decoded: np.ndarray) -> None:
        features = {part: array[start : start + len(decoded)][decoded] for part, array in self.arrays.items()}
        _check_finite(sequence, features)
        corrupt = [
            {
                "sequence": sequence.name,
                "frame": int(sequence.frames[i]),
                "image": self.to.relative_path(sequence.images[i]),
                "reason": self.reasons[start + i],
            }
            for i in np.flatnonzero(~decoded).tolist()
        ]
        frames = np.asarray(sequence.frames, np.int32)[decoded]
        self.to.store.write_sequence(self.to.key, sequence.name, {**features, "frames": frames}, corrupt)


@dataclass(frozen=True)
class _Extraction:
    """Extraction of one entry."""

    dataset: Dataset
    backbone: Backbone
    writer: _FeatureWriter
    selector: EngineSelector
    threads: int

    def run(self, chunks: list[_Chunk], progress: Progress | None) -> None:
        from harness.features.pipeline import ExtractionPipeline

        writer, folder = self.writer, self.writer.store.root / self.writer.key
        crops = sum(
            chunk.crops for chunk in chunks
        )  # includes finished chunks, so that resuming selects the same engine
        engine = self.selector.select_engine(folder, self.backbone, self.threads, crops)
        meter = _ThroughputMeter(progress, crops, sum(chunk.crops for chunk in chunks if writer.is_complete(chunk)))
        pipeline: ExtractionPipeline[_ChunkExtraction] = ExtractionPipeline(
            engine, self.backbone, self.threads, self.dataset.upright
        )
        with ChunkLocks(folder) as locks, pipeline:
            for iter_chunks in (locks.iter_available, locks.iter_remaining):
                extractions = (
                    _ChunkExtraction(number, tuple(self.dataset.sequences[name] for name in chunk.names), writer)
                    for number, chunk in iter_chunks(chunks, writer.is_complete)
                )
                for extraction, batch in pipeline.batches(extractions):
                    extraction.add_batch(batch)
                    meter.add(batch.stop - batch.start)
                    if batch.stop == len(extraction.paths):
                        extraction.write()
                        locks.release(extraction.number)
            meter.finish()


def _check_finite(sequence: Sequence, features: dict[str, np.ndarray]) -> None:
    for part, values in features.items():
        bad = int((~np.isfinite(values).all(axis=1)).sum())
        if bad:
            raise FramelightError(
                f"sequence '{sequence.name}': {bad} of {len(values)} rows of {part} are not finite in {values.dtype}; "
                "extract with float32, or use other weights"
            )


class _ThroughputMeter:
    """Reports progress. Frames that were stored before the start count as done, but not towards the speed."""

    def __init__(self, progress: Progress | None, total: int, before: int) -> None:
        self.progress, self.total, self.before = progress, total, before
        self.worked, self.start = 0, time.perf_counter()

    def add(self, frames: int) -> None:
        self.worked += frames
        self._report(self.before + self.worked)

    def finish(self) -> None:
        """Report all frames as done, including those that other processes extracted."""
        if self.before + self.worked < self.total:
            self._report(self.total)

    def _report(self, done: int) -> None:
        if self.progress is not None:
            rate = self.worked / max(time.perf_counter() - self.start, 1e-9)
            self.progress(done, self.total, rate, (self.total - done) / rate if rate else 0.0)
