"""Labelled rows over the stored features: gathered from memory maps, never all in memory unless they are small."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.data.dataset import Labels
from harness.errors import unknown
from harness.features.noise import NOISE_WIDTH, noise
from harness.features.store import PARTS, FeatureEntry

BLOCK_ROWS = 64
BUFFER_BLOCKS = 32
CACHED_BYTES = 64 * 2**20
KINDS = (*PARTS, "noise")


class FeatureMatrix:
    """Float32 features of the rows of `labels` whose crop has them.

    features: `embeddings`, `scores`, `embeddings+scores`, or `noise` (random columns that know nothing of the image).
    rows: int64 [M], the rows of `labels` that have features, ascending; every method speaks of rows of `labels`.
    coverage: M / N, 0.0 without a label. width: columns. Up to CACHED_BYTES the matrix is gathered once and kept;
    beyond that only a buffer of BUFFER_BLOCKS * BLOCK_ROWS rows is ever in memory.
    """

    def __init__(self, entry: FeatureEntry, features: str, labels: Labels) -> None:
        if features not in KINDS:
            raise unknown("features", features, KINDS)
        self.entry, self.features, self.names = entry, features, labels.sequences
        self.width = NOISE_WIDTH if features == "noise" else entry.width(features)
        self._sequence = np.asarray(labels.sequence, np.int32)
        self._position = _positions(entry, labels)
        self._frame = labels.frame
        self.rows = np.flatnonzero(self._position >= 0)
        self.coverage = len(self.rows) / len(labels) if len(labels) else 0.0
        self._maps: dict[int, tuple[np.ndarray, ...]] = {}
        self._kept: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """float32 [B, D] of the given rows of the labels, in their order; ValueError for one without a crop."""
        rows = np.asarray(rows, np.int64)
        if (self._position[rows] < 0).any():
            raise ValueError("a row without a crop has no features; take rows from .rows")
        if len(self.rows) * self.width * 4 > CACHED_BYTES:
            return self._read(rows)
        if self._kept is None:
            self._kept = self._read(self.rows)
        return self._kept[np.searchsorted(self.rows, rows)]

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """One epoch: (rows of the labels int64 [B], float32 [B, D]), every row once, the last batch may be short.

        Blocks of BLOCK_ROWS neighbouring rows are shuffled, then the rows inside each buffer of BUFFER_BLOCKS blocks:
        reading stays near-sequential and memory bounded. A pure function of seed and epoch.
        """
        left = np.zeros(0, np.int64), np.zeros((0, self.width), np.float32)
        for rows in self._shuffled(seed, epoch):
            order = np.argsort(rows)
            values = np.empty((len(rows), self.width), np.float32)
            values[order] = self.gather(rows[order])
            rows, values = np.concatenate([left[0], rows]), np.concatenate([left[1], values])
            whole = len(rows) - len(rows) % size
            for start in range(0, whole, size):
                yield rows[start:start + size], values[start:start + size]
            left = rows[whole:], values[whole:]
        if len(left[0]):
            yield left

    def _shuffled(self, seed: int, epoch: int) -> Iterator[np.ndarray]:
        random = np.random.default_rng([seed, epoch, 0x5EED])
        blocks = random.permutation(-(-len(self.rows) // BLOCK_ROWS))
        for start in range(0, len(blocks), BUFFER_BLOCKS):
            chosen = [self.rows[b * BLOCK_ROWS:(b + 1) * BLOCK_ROWS] for b in blocks[start:start + BUFFER_BLOCKS]]
            yield random.permutation(np.concatenate(chosen))

    def _read(self, rows: np.ndarray) -> np.ndarray:
        values = np.empty((len(rows), self.width), np.float32)
        sequence = self._sequence[rows]
        order = np.argsort(sequence, kind="stable")
        bounds = np.flatnonzero(np.diff(sequence[order])) + 1
        for group in np.split(order, bounds) if len(order) else ():
            values[group] = self._columns(int(sequence[group[0]]), rows[group])
        return values

    def _columns(self, sequence: int, rows: np.ndarray) -> np.ndarray:
        if self.features == "noise":
            return noise(self.names[sequence], self._frame[rows])
        if sequence not in self._maps:
            self._maps[sequence] = self.entry.read(self.names[sequence], self.features)
        return np.concatenate([part[self._position[rows]] for part in self._maps[sequence]], axis=1)


def sequence_blocks(entry: FeatureEntry, features: str, sequence: str, size: int = 4096) -> Iterator[np.ndarray]:
    """float32 [B, D] over every stored crop of a sequence, in frame order; none for a sequence without a crop."""
    frames = entry.frames(sequence)
    parts = None if features == "noise" else entry.read(sequence, features)
    for start in range(0, len(frames), size):
        if parts is None:
            yield noise(sequence, frames[start:start + size])
        else:
            yield np.concatenate([part[start:start + size] for part in parts], axis=1).astype(np.float32)


def _positions(entry: FeatureEntry, labels: Labels) -> np.ndarray:
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
