"""Rows of a feature entry, wherever its sequences keep them, put side by side in memory in stored precision."""

from __future__ import annotations

import resource
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

from harness.features.noise import NOISE_WIDTH, noise
from harness.features.store import FeatureEntry, parts_of

GAP = 8
"""Wanted crops at most so far apart are read at once, with those between them; sooner done than a second read."""


CACHE_LINE = 64


class StoredRows:
    """Rows of the stored arrays that `features` is made of; one array [B, D] for each part.

    names: of the sequences that `sequence` int32 [N] counts; position: int64 [N], rows of their arrays.
    """

    def __init__(self, entry: FeatureEntry, features: str, names: Sequence[str], sequence: np.ndarray,
                 position: np.ndarray) -> None:
        self._names, self._sequence, self._position = names, sequence, position
        self._parts = {part: entry.widths[part] for part in parts_of(features)}
        self._open = lru_cache(_open_files())(entry.open)
        self._type = np.dtype(entry.dtype)
        self.width = sum(self._parts.values())
        self.row_bytes = self.width * self._type.itemsize

    def empty(self, count: int) -> list[np.ndarray]:
        """Room for `count` rows."""
        return [aligned(count, width, self._type) for width in self._parts.values()]

    def fill(self, room: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        """The first of `room`, filled with these rows of the N in their order; neighbours are read at once."""
        room = [part[:len(rows)] for part in room]
        sequence, position = self._sequence[rows], self._position[rows]
        step, other = np.diff(position), np.diff(sequence) != 0
        if np.count_nonzero(other | (step != 1)) * GAP <= len(rows):
            for which, first, start, end in _runs(other | (step != 1), sequence, position):
                for part, out in zip(self._parts, room):
                    self._open(self._names[which], part).read(first, out[start:end])
            return room
        for which, first, start, end in _runs(other | (step < 0) | (step > GAP), sequence, position):
            wanted = position[start:end] - first
            for part, out in zip(self._parts, room):
                span = np.empty((wanted[-1] + 1, out.shape[1]), out.dtype)
                self._open(self._names[which], part).read(first, span)
                out[start:end] = span[wanted]
        return room


class NoiseRows:
    """The same of random columns; frame: int32 [N], the frame numbers of the rows."""

    width, row_bytes = NOISE_WIDTH, NOISE_WIDTH * 4

    def __init__(self, names: Sequence[str], sequence: np.ndarray, frame: np.ndarray) -> None:
        self._names, self._sequence, self._frame = names, sequence, frame

    def empty(self, count: int) -> list[np.ndarray]:
        return [np.empty((count, self.width), np.float32)]

    def fill(self, room: Sequence[np.ndarray], rows: np.ndarray) -> list[np.ndarray]:
        values, sequence = room[0][:len(rows)], self._sequence[rows]
        bounds = np.flatnonzero(np.diff(sequence)) + 1
        for group in np.split(np.arange(len(rows)), bounds) if len(rows) else ():
            values[group] = noise(self._names[sequence[group[0]]], self._frame[rows[group]])
        return [values]


def _runs(cut: np.ndarray, sequence: np.ndarray, position: np.ndarray) -> Iterator[tuple[int, int, int, int]]:
    """(sequence, first position, start, end) of each run of rows; cut: bool [B - 1], where a new one begins."""
    starts = np.append(0, np.flatnonzero(cut) + 1)[:len(position)]
    ends = [*starts[1:].tolist(), len(position)]
    return zip(sequence[starts].tolist(), position[starts].tolist(), starts.tolist(), ends)


def aligned(count: int, width: int, dtype: np.dtype) -> np.ndarray:
    """An empty array that begins where a line of the cache does: files are copied there sooner."""
    size = count * width * dtype.itemsize
    room = np.empty(size + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start:start + size].view(dtype).reshape(count, width)


def widened(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Parts [B, *] in stored precision -> float32 [B, D], side by side; several times sooner than numpy's own."""
    values = side_by_side(parts)
    if values.dtype == np.float32 or not values.size:
        return values.astype(np.float32, copy=False)
    import torch

    return torch.from_numpy(values).float().numpy()


def _open_files() -> int:
    """So many files are kept open for one matrix: three eighths of what a process is usually allowed (1,024), since
    one matrix is learned from while another chooses the epoch."""
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 3 * (1024 if allowed == resource.RLIM_INFINITY else min(allowed, 1024)) // 8


def side_by_side(parts: Sequence[np.ndarray]) -> np.ndarray:
    """[B, D]; the part itself where there is one."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
