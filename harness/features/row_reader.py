"""Rows of a feature entry, wherever its sequences keep them, put side by side in memory in stored precision."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from harness.features.store import FeatureEntry, StoredArray, feature_parts

NOISE_WIDTH = 64


def noise(sequence: str, frames: np.ndarray) -> np.ndarray:
    """float32 [B, 64] standard normal: a pure function of the sequence's name and the frame number of each row.

    Counter-based (SplitMix64 of name, frame and column; then Box and Muller 1958), so that any row can be made alone.
    """
    name = np.uint64(int.from_bytes(hashlib.sha256(sequence.encode()).digest()[:8], "little"))
    with np.errstate(over="ignore"):
        rows = _splitmix64(np.asarray(frames).astype(np.uint64) ^ name)[:, None]
        bits = _splitmix64(rows + np.arange(1, NOISE_WIDTH + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    uniform = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * 2.0**-53
    radius, angle = np.split(uniform, 2, axis=1)
    radius, angle = np.sqrt(-2 * np.log(radius)), 2 * np.pi * angle
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32)


def _splitmix64(state: np.ndarray) -> np.ndarray:
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


MAX_OPEN_FILES = 16384
"""As many may be open as no data set has sequences; 1,024, the usual allowance, are too few for Aff-Wild2."""

MAX_GAP = 8
"""Wanted crops further apart than this are copied one neighbourhood after the other."""

READAHEAD_FACTOR = 16
"""The system maps pages around those that are read: so many times as many at most (measured)."""


class RowReader:
    """Rows of the stored arrays that `features` is made of; one array [B, D] for each part.

    names: of the sequences that `sequence` int32 [N] counts; position: int64 [N], rows of their arrays. memory: bytes
    that are copied from mapped pages before these are given back. (Linux may map a whole huge page around a block: of
    scattered blocks many times as much is resident then, all of it cache that it takes back when memory is short.)
    """

    def __init__(
        self,
        entry: FeatureEntry,
        features: str,
        names: Sequence[str],
        sequence: np.ndarray,
        position: np.ndarray,
        memory: int,
    ) -> None:
        self._entry, self._names, self._sequence, self._position = entry, names, sequence, position
        self._parts = {part: entry.widths[part] for part in feature_parts(features)}
        self._type = np.dtype(entry.dtype)
        self._memory, self._touched, self._most = memory, 0, _open_file_limit()
        self._arrays: dict[tuple[int, str], StoredArray] = {}
        self.width = sum(self._parts.values())
        self.row_bytes = self.width * self._type.itemsize

    def empty(self, count: int) -> list[np.ndarray]:
        """Room for `count` rows."""
        return [np.empty((count, width), self._type) for width in self._parts.values()]

    def fill(self, room: Sequence[np.ndarray], rows: np.ndarray, places: np.ndarray) -> None:
        """Put these rows of the N into these places of the room; neighbours are copied at once."""
        sequence, position = self._sequence[rows], self._position[rows]
        step = np.diff(position)
        cut = (np.diff(sequence) != 0) | (step < 0) | (step > MAX_GAP)
        uneven = np.append(0, np.cumsum(step != 1))  # rows may repeat: the first and the last do not tell
        starts = np.append(0, np.flatnonzero(cut) + 1)[: len(rows)]
        ends = np.append(starts[1:], len(rows))[: len(starts)]
        even = uneven[starts] == uneven[ends - 1]
        for which, start, end, first, last, piece in zip(
            *(
                values.tolist()
                for values in (sequence[starts], starts, ends, position[starts], position[ends - 1], even)
            )
        ):
            wanted = slice(first, last + 1) if piece else position[start:end]
            for part, out in zip(self._parts, room):
                out[places[start:end]] = self._open_array(which, part).rows[wanted]
        self._count_copied_bytes(len(rows) * self.row_bytes)

    def _open_array(self, which: int, part: str) -> StoredArray:
        """The array of a sequence; of those that are open the one used longest ago makes room."""
        array = self._arrays.pop((which, part), None)
        if array is None:
            array = self._entry.open(self._names[which], part)
            if len(self._arrays) >= self._most:
                del self._arrays[next(iter(self._arrays))]
        self._arrays[which, part] = array
        return array

    def _count_copied_bytes(self, size: int) -> None:
        self._touched += size
        if self._touched * READAHEAD_FACTOR > self._memory:
            for array in self._arrays.values():
                array.release()
            self._touched = 0


class NoiseRows:
    """The same of random columns; frame: int32 [N], the frame numbers of the rows."""

    width, row_bytes = NOISE_WIDTH, NOISE_WIDTH * 4

    def __init__(self, names: Sequence[str], sequence: np.ndarray, frame: np.ndarray) -> None:
        self._names, self._sequence, self._frame = names, sequence, frame

    def empty(self, count: int) -> list[np.ndarray]:
        return [np.empty((count, self.width), np.float32)]

    def fill(self, room: Sequence[np.ndarray], rows: np.ndarray, places: np.ndarray) -> None:
        sequence = self._sequence[rows]
        bounds = np.flatnonzero(np.diff(sequence)) + 1
        for group in np.split(np.arange(len(rows)), bounds) if len(rows) else ():
            room[0][places[group]] = noise(self._names[sequence[group[0]]], self._frame[rows[group]])


def to_float32(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts [B, *] in stored precision -> float32 [B, D], side by side; several times sooner than numpy's own."""
    values = concatenate_columns(parts)
    if values.dtype == np.float32 or not values.size:
        return values.astype(np.float32, copy=False)
    import torch

    return torch.from_numpy(values).float().numpy()


def _open_file_limit() -> int:
    """So many files are kept mapped for one matrix: three eighths of what this process may open, since one matrix is
    learned from while another chooses the epoch. The process is first given what the system lets it have.
    """
    try:
        import resource
    except ImportError:  # a system without such limits
        return MAX_OPEN_FILES
    allowed, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if allowed != resource.RLIM_INFINITY and allowed < MAX_OPEN_FILES:
        wanted = MAX_OPEN_FILES if most == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, most)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
        allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 3 * (MAX_OPEN_FILES if allowed == resource.RLIM_INFINITY else min(allowed, MAX_OPEN_FILES)) // 8


def concatenate_columns(parts: Sequence[np.ndarray]) -> np.ndarray:
    """[B, D]; the part itself where there is one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
