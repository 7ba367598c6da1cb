"""Labelled rows over the stored features: read in blocks as they are asked for, never all in memory unless they are
few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from harness.data.dataset import Labels
from harness.features import DEFAULT_MEMORY
from harness.features.row_reader import NoiseRows, RowReader, concatenate_columns, noise, to_float32
from harness.features.store import PARTS, FeatureEntry, feature_parts
from harness.utils.errors import unknown_name_error

BLOCK_ROWS = 64
BUFFER_BLOCKS = 32
FEATURE_KINDS = (*PARTS, "noise")


class FeatureMatrix:
    """Float32 features of the rows of `labels` whose crop has them.

    features: `embeddings`, `scores`, `embeddings+scores`, or `noise` (random columns that know nothing of the image).
    rows: int64 [M], the rows of `labels` that have features, ascending; every method speaks of rows of `labels`.
    coverage: M / N, 0.0 without a label. width: columns. memory: bytes of features this may hold. Features that take
    no more, in stored precision, are read once and kept; of others a pass holds a buffer of BUFFER_BLOCKS * BLOCK_ROWS
    rows, and maps the files' pages until it has copied `memory` from them (see `RowReader`). (A thread that reads the
    next buffer meanwhile does not pay: handing the interpreter's lock to and fro costs as much as it saves.)
    """

    def __init__(self, entry: FeatureEntry, features: str, labels: Labels, memory: int = DEFAULT_MEMORY) -> None:
        if features not in FEATURE_KINDS:
            raise unknown_name_error("features", features, FEATURE_KINDS)
        self.entry, self.features, self.memory = entry, features, memory
        sequence = np.asarray(labels.sequence, np.int32)
        self._position = _row_positions(entry, labels)
        self._source = (
            NoiseRows(labels.sequences, sequence, labels.frame)
            if features == "noise"
            else RowReader(entry, features, labels.sequences, sequence, self._position, memory)
        )
        self.width = self._source.width
        self.rows = np.flatnonzero(self._position >= 0)
        self.coverage = len(self.rows) / len(labels) if len(labels) else 0.0
        self._kept: list[np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """float32 [B, D] of the given rows of the labels, in their order; ValueError for one without a crop."""
        rows = np.asarray(rows, np.int64)
        if (self._position[rows] < 0).any():
            raise ValueError("a row without a crop has no features; take rows from .rows")
        if (kept := self._cached_rows()) is None:
            return to_float32(self._read_rows(rows))
        return to_float32([_take_rows(part, np.searchsorted(self.rows, rows)) for part in kept])

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch: (rows of the labels int64 [B], float32 [B, D]), every row once, the last batch may be short.

        Blocks of BLOCK_ROWS neighbouring rows are shuffled, then the rows inside each buffer of BUFFER_BLOCKS blocks:
        reading stays near-sequential and memory bounded. A pure function of seed and epoch.
        """
        return ((rows, to_float32([values])) for rows, values in self.stored_batches(size, seed, epoch))

    def stored_batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """As `batches`, in stored precision: half the bytes, for who widens a batch where it is used."""
        pieces: list[tuple[np.ndarray, np.ndarray]] = []
        missing = size
        for rows, part in self._iter_buffers(seed, epoch):
            at = 0
            while at < len(rows):
                end = min(at + missing, len(rows))
                pieces.append((rows[at:end], part(at, end)))
                missing, at = missing - (end - at), end
                if not missing:
                    yield _concatenate_batch(pieces)
                    pieces, missing = [], size
        if pieces:
            yield _concatenate_batch(pieces)

    def _cached_rows(self) -> list[np.ndarray] | None:
        """All rows, where there is memory for them."""
        if self._kept is None and len(self.rows) * self._source.row_bytes <= self.memory:
            self._kept = self._read_rows(self.rows)
        return self._kept

    def _read_rows(self, rows: np.ndarray) -> list[np.ndarray]:
        room = self._source.empty(len(rows))
        self._source.fill(room, rows, np.arange(len(rows)))
        return room

    def _iter_buffers(self, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, Callable[[int, int], np.ndarray]]]:
        """(rows [B] as shuffled, the features [end - start, D] of those from start to end)."""
        kept = self._cached_rows()
        for chosen, order in self._shuffle_blocks(seed, epoch):
            shuffled = chosen[order]
            if kept is not None:
                yield self.rows[shuffled], partial(_gather_rows, kept, shuffled)
                continue
            room, places = self._source.empty(len(chosen)), np.empty(len(order), np.int64)
            places[order] = np.arange(len(order))
            self._source.fill(room, self.rows[chosen], places)
            yield self.rows[shuffled], partial(_slice_rows, room)

    def _shuffle_blocks(self, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """For each buffer, which of `rows` it holds and the order they are given in."""
        random = np.random.default_rng([seed, epoch, 0x5EED])
        blocks = random.permutation(-(-len(self.rows) // BLOCK_ROWS))
        for start in range(0, len(blocks), BUFFER_BLOCKS):
            chosen = (blocks[start : start + BUFFER_BLOCKS, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
            chosen = chosen[chosen < len(self.rows)]
            yield chosen, random.permutation(len(chosen))


def iter_sequence(entry: FeatureEntry, features: str, sequence: str, size: int = 4096) -> Iterator[np.ndarray]:
    """Yield float32 [B, D] blocks over every stored crop of a sequence, in frame order; D is 0 for `none`."""
    frames = entry.frames(sequence)
    parts = () if features in ("noise", "none") else entry.read(sequence, features)
    for start in range(0, len(frames), size):
        rows = slice(start, start + size)
        if features == "noise":
            yield noise(sequence, frames[rows])
        elif features == "none":
            yield np.zeros((len(frames[rows]), 0), np.float32)
        else:
            yield to_float32([np.array(part[rows]) for part in parts])


def feature_columns(names: Iterable[str], arrays: Mapping[str, np.ndarray], dtype: str) -> dict[str, np.ndarray]:
    """Compute the columns of each name from a backbone's outputs, as they would be read from a feature entry.

    Parameters
    ----------
    names : iterable of str
        `embeddings`, `scores` or `embeddings+scores`.
    arrays : mapping of str to ndarray of shape (N, D)
        `embeddings` and `scores`.
    dtype : str
        Precision of the entry, to which the arrays are rounded.

    Returns
    -------
    dict of str to ndarray of shape (N, D)
        float32.
    """
    with np.errstate(over="ignore"):
        return {name: to_float32([arrays[part].astype(dtype) for part in feature_parts(name)]) for name in names}


def _gather_rows(parts: Sequence[np.ndarray], index: np.ndarray, start: int, end: int) -> np.ndarray:
    return concatenate_columns([_take_rows(part, index[start:end]) for part in parts])


def _slice_rows(parts: Sequence[np.ndarray], start: int, end: int) -> np.ndarray:
    return concatenate_columns([part[start:end] for part in parts])


def _take_rows(part: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take(part, index, axis=0, mode="clip")  # an index is never outside; looking first costs a copy


def _concatenate_batch(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """One batch of its pieces."""
    if len(pieces) == 1:
        return pieces[0]
    rows, values = zip(*pieces)
    return np.concatenate(rows), np.concatenate(values)


def _row_positions(entry: FeatureEntry, labels: Labels) -> np.ndarray:
    """int64 [N]: where each labelled frame stands in its sequence's arrays, -1 where it has no crop."""
    positions = np.full(len(labels), -1, np.int64)
    order = np.argsort(labels.sequence, kind="stable")
    bounds = np.flatnonzero(np.diff(np.asarray(labels.sequence)[order])) + 1
    for group in np.split(order, bounds) if len(order) else ():
        name = labels.sequences[labels.sequence[group[0]]]
        if not entry.sequences.get(name):
            continue
        frames, wanted = np.asarray(entry.frames(name)), labels.frame[group]
        at = np.minimum(np.searchsorted(frames, wanted), len(frames) - 1)
        positions[group] = np.where(frames[at] == wanted, at, -1)
    return positions
