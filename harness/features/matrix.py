"""Features of labeled rows, read from disk in blocks, or cached in memory if they fit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from harness.data.dataset import Labels
from harness.features import DEFAULT_MEMORY
from harness.features.entry import PARTS, FeatureEntry, feature_parts
from harness.features.row_reader import NoiseRows, RowReader, concatenate_columns, noise, to_float32
from harness.utils.errors import unknown_name_error

BLOCK_ROWS = 64
"""Number of consecutive rows in a block; the order of rows is shuffled block by block."""
BUFFER_BLOCKS = 32
"""Number of blocks that are in memory at the same time."""
FEATURE_KINDS = (*PARTS, "noise")


# Reading the next buffer in a second thread is not faster: waiting for the interpreter lock costs the time it saves.
class FeatureMatrix:
    """Float32 features of the labeled rows that have a crop.

    Row numbers in all methods are positions in `labels`. If the features fit into `memory`, they are read once and
    cached in stored precision. Otherwise each epoch reads them again, in buffers of ``BUFFER_BLOCKS * BLOCK_ROWS``
    rows, see `RowReader`.

    Parameters
    ----------
    entry : FeatureEntry
        The stored features.
    features : {"embeddings", "scores", "embeddings+scores", "noise"}
        Columns of the matrix. The columns of `noise` are random and do not depend on the images.
    labels : Labels
        The N labeled rows.
    memory : int
        Maximum number of bytes of features in memory.

    Attributes
    ----------
    rows : int64 ndarray of shape (M,)
        The rows of `labels` that have features, ascending.
    coverage : float
        M / N; 0 if there are no labels.
    width : int
        Number of columns D.

    Raises
    ------
    InputError
        If `features` is unknown.
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
        self._cache: list[np.ndarray] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Return the features of some rows.

        Parameters
        ----------
        rows : int array of shape (B,)
            Elements of `self.rows`, in any order.

        Returns
        -------
        float32 ndarray of shape (B, D)
            Features in the order of `rows`.

        Raises
        ------
        ValueError
            If a row has no crop.
        """
        rows = np.asarray(rows, np.int64)
        if (self._position[rows] < 0).any():
            raise ValueError("a row without a crop has no features; take rows from .rows")
        if (cached := self._cached_rows()) is None:
            return to_float32(self._read_rows(rows))
        return to_float32([_take_rows(part, np.searchsorted(self.rows, rows)) for part in cached])

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over all rows once, in shuffled batches; the last batch may be smaller.

        Blocks of `BLOCK_ROWS` consecutive rows are shuffled, then the rows inside each buffer of `BUFFER_BLOCKS`
        blocks. Reads are therefore nearly sequential and memory is bounded. The order depends only on the number of
        rows, the seed and the epoch.

        Parameters
        ----------
        size : int
            Batch size.
        seed, epoch : int
            Both determine the order.

        Yields
        ------
        rows : int64 ndarray of shape (B,)
            Positions in `labels`.
        values : float32 ndarray of shape (B, D)
            Features of these rows.
        """
        return ((rows, to_float32([values])) for rows, values in self.stored_batches(size, seed, epoch))

    def stored_batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate like `batches`, but yield the features in stored precision."""
        pieces: list[tuple[np.ndarray, np.ndarray]] = []
        missing = size
        for rows, part in self._iter_buffers(seed, epoch):
            start = 0
            while start < len(rows):
                end = min(start + missing, len(rows))
                pieces.append((rows[start:end], part(start, end)))
                missing, start = missing - (end - start), end
                if not missing:
                    yield _concatenate_batch(pieces)
                    pieces, missing = [], size
        if pieces:
            yield _concatenate_batch(pieces)

    def _cached_rows(self) -> list[np.ndarray] | None:
        """Return the features of all rows if they fit into memory, else None."""
        if self._cache is None and len(self.rows) * self._source.row_bytes <= self.memory:
            self._cache = self._read_rows(self.rows)
        return self._cache

    def _read_rows(self, rows: np.ndarray) -> list[np.ndarray]:
        arrays = self._source.empty(len(rows))
        self._source.fill(arrays, rows, np.arange(len(rows)))
        return arrays

    def _iter_buffers(self, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, Callable[[int, int], np.ndarray]]]:
        """Yield the shuffled rows of each buffer, and a function that returns their features from `start` to `end`."""
        cached = self._cached_rows()
        for buffer, order in self._shuffle_blocks(seed, epoch):
            shuffled = buffer[order]
            if cached is not None:
                yield self.rows[shuffled], partial(_gather_rows, cached, shuffled)
                continue
            arrays, positions = self._source.empty(len(buffer)), np.empty(len(order), np.int64)
            positions[order] = np.arange(len(order))
            self._source.fill(arrays, self.rows[buffer], positions)
            yield self.rows[shuffled], partial(_slice_rows, arrays)

    def _shuffle_blocks(self, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield, for each buffer, its indices into `self.rows` and the permutation that shuffles them."""
        random = np.random.default_rng([seed, epoch, 0x5EED])
        blocks = random.permutation(-(-len(self.rows) // BLOCK_ROWS))
        for start in range(0, len(blocks), BUFFER_BLOCKS):
            buffer = (blocks[start : start + BUFFER_BLOCKS, None] * BLOCK_ROWS + np.arange(BLOCK_ROWS)).ravel()
            buffer = buffer[buffer < len(self.rows)]
            yield buffer, random.permutation(len(buffer))


def iter_sequence(entry: FeatureEntry, features: str, sequence: str, size: int = 4096) -> Iterator[np.ndarray]:
    """Iterate over the features of all stored crops of a sequence, in frame order.

    Parameters
    ----------
    entry : FeatureEntry
        The stored features.
    features : {"embeddings", "scores", "embeddings+scores", "noise", "none"}
        Columns to read; `none` has no columns.
    sequence : str
        Name of the sequence.
    size : int
        Maximum number of rows of a block.

    Yields
    ------
    float32 ndarray of shape (B, D)
        Features of one block of consecutive crops.
    """
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
    """Compute feature columns from the outputs of a backbone, as they would be read from a feature entry.

    Parameters
    ----------
    names : iterable of str
        `embeddings`, `scores` or `embeddings+scores`.
    arrays : mapping of str to ndarray of shape (N, D)
        Outputs `embeddings` and `scores` for N crops.
    dtype : str
        Precision of the entry; the arrays are rounded to it.

    Returns
    -------
    dict of str to float32 ndarray of shape (N, D)
        Columns by name.
    """
    with np.errstate(over="ignore"):
        return {name: to_float32([arrays[part].astype(dtype) for part in feature_parts(name)]) for name in names}


def _gather_rows(parts: Sequence[np.ndarray], index: np.ndarray, start: int, end: int) -> np.ndarray:
    return concatenate_columns([_take_rows(part, index[start:end]) for part in parts])


def _slice_rows(parts: Sequence[np.ndarray], start: int, end: int) -> np.ndarray:
    return concatenate_columns([part[start:end] for part in parts])


def _take_rows(part: np.ndarray, index: np.ndarray) -> np.ndarray:
    return np.take(part, index, axis=0, mode="clip")  # indices are in range; mode "raise" would cost a copy


def _concatenate_batch(pieces: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate the pieces of one batch."""
    if len(pieces) == 1:
        return pieces[0]
    rows, values = zip(*pieces)
    return np.concatenate(rows), np.concatenate(values)


def _row_positions(entry: FeatureEntry, labels: Labels) -> np.ndarray:
    """Return the position of each labeled frame in the arrays of its sequence, or -1 if the frame has no crop."""
    positions = np.full(len(labels), -1, np.int64)
    order = np.argsort(labels.sequence, kind="stable")
    bounds = np.flatnonzero(np.diff(np.asarray(labels.sequence)[order])) + 1
    for group in np.split(order, bounds) if len(order) else ():
        name = labels.sequences[labels.sequence[group[0]]]
        if not entry.sequences.get(name):
            continue
        frames, labeled = np.asarray(entry.frames(name)), labels.frame[group]
        nearest = np.minimum(np.searchsorted(frames, labeled), len(frames) - 1)
        positions[group] = np.where(frames[nearest] == labeled, nearest, -1)
    return positions
