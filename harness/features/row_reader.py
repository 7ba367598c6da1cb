"""Read rows of a feature entry from its memory-mapped files, in stored precision."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import suppress

import numpy as np

from harness.features.entry import FeatureEntry, feature_parts
from harness.features.stored_array import StoredArray
from harness.utils.names import name_bytes

NOISE_WIDTH = 64
"""Columns of the features `noise`."""


def noise(sequence: str, frames: np.ndarray) -> np.ndarray:
    """Generate standard normal features that depend on the sequence name and the frame number alone.

    The generator is counter-based (SplitMix64 of name, frame and column, then the Box-Muller transform), so that each
    row can be computed independently.

    Parameters
    ----------
    sequence : str
        Name of the sequence.
    frames : int array of shape (B,)
        Frame numbers.

    Returns
    -------
    float32 ndarray of shape (B, 64)
        The features.
    """
    name = np.uint64(int.from_bytes(hashlib.sha256(name_bytes(sequence)).digest()[:8], "little"))
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
"""Maximum number of open files. Each sequence has a file of embeddings and a file of scores; for Aff-Wild2 these are
more than the usual limit of 1,024."""

MAX_GAP = 8
"""Successive rows are copied together only if their positions differ by at most this much."""

READAHEAD_FACTOR = 16
"""Measured upper bound: the system reads ahead and maps at most this many pages for each page that is read."""


class RowReader:
    """Reads rows of the stored arrays of a feature entry.

    Linux may map a whole huge page around a block of rows. The resident memory then exceeds `memory`, but all of the
    excess is page cache, which the system reclaims when memory is short.

    Parameters
    ----------
    entry : FeatureEntry
        The stored features.
    features : {"embeddings", "scores", "embeddings+scores"}
        Stored arrays to read; `embeddings+scores` reads both.
    names : sequence of str
        Names of the sequences.
    sequence : int32 ndarray of shape (N,)
        Sequence of each row, as an index into `names`.
    position : int64 ndarray of shape (N,)
        Position of each row in the arrays of its sequence.
    memory : int
        Maximum size of the mapped pages in bytes. The size is estimated from the copied bytes; above the maximum, all
        pages are released.

    Attributes
    ----------
    width : int
        Total number of columns.
    row_bytes : int
        Bytes of one row.
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
        self._memory, self._copied, self._max_open = memory, 0, _open_file_limit()
        self._arrays: dict[tuple[int, str], StoredArray] = {}
        self.width = sum(self._parts.values())
        self.row_bytes = self.width * self._type.itemsize

    def empty(self, count: int) -> list[np.ndarray]:
        """Allocate an array with `count` rows for each stored array that is read."""
        return [np.empty((count, width), self._type) for width in self._parts.values()]

    def fill(self, arrays: Sequence[np.ndarray], rows: np.ndarray, places: np.ndarray) -> None:
        """Copy rows into arrays; consecutive rows are copied together.

        Parameters
        ----------
        arrays : sequence of ndarray
            Result of `empty`.
        rows : int array of shape (B,)
            Rows to read, from 0 to N - 1.
        places : int array of shape (B,)
            Index in `arrays` that each row is copied to.
        """
        sequence, position = self._sequence[rows], self._position[rows]
        step = np.diff(position)
        cut = (np.diff(sequence) != 0) | (step < 0) | (step > MAX_GAP)
        uneven = np.append(0, np.cumsum(step != 1))  # rows may repeat, so first and last position do not suffice
        starts = np.append(0, np.flatnonzero(cut) + 1)[: len(rows)]
        ends = np.append(starts[1:], len(rows))[: len(starts)]
        consecutive = uneven[starts] == uneven[ends - 1]
        for index, start, end, first, last, contiguous in zip(
            *(
                values.tolist()
                for values in (sequence[starts], starts, ends, position[starts], position[ends - 1], consecutive)
            )
        ):
            selected = slice(first, last + 1) if contiguous else position[start:end]
            for part, out in zip(self._parts, arrays):
                out[places[start:end]] = self._open_array(index, part).rows[selected]
        self._count_copied_bytes(len(rows) * self.row_bytes)

    def _open_array(self, index: int, part: str) -> StoredArray:
        """Return the array of a sequence; at the limit of open files, close the least recently used one."""
        array = self._arrays.pop((index, part), None)
        if array is None:
            array = self._entry.open(self._names[index], part)
            if len(self._arrays) >= self._max_open:
                del self._arrays[next(iter(self._arrays))]
        self._arrays[index, part] = array
        return array

    def _count_copied_bytes(self, size: int) -> None:
        self._copied += size
        if self._copied * READAHEAD_FACTOR > self._memory:
            for array in self._arrays.values():
                array.release()
            self._copied = 0


class NoiseRows:
    """Generates the rows of the features `noise`; has the interface of `RowReader`.

    Parameters
    ----------
    names : sequence of str
        Names of the sequences.
    sequence : int32 ndarray of shape (N,)
        Sequence of each row, as an index into `names`.
    frame : int32 ndarray of shape (N,)
        Frame number of each row.
    """

    width, row_bytes = NOISE_WIDTH, NOISE_WIDTH * 4

    def __init__(self, names: Sequence[str], sequence: np.ndarray, frame: np.ndarray) -> None:
        self._names, self._sequence, self._frame = names, sequence, frame

    def empty(self, count: int) -> list[np.ndarray]:
        """Allocate one array with `count` rows."""
        return [np.empty((count, self.width), np.float32)]

    def fill(self, arrays: Sequence[np.ndarray], rows: np.ndarray, places: np.ndarray) -> None:
        """Write rows into the array, see `RowReader.fill`."""
        sequence = self._sequence[rows]
        bounds = np.flatnonzero(np.diff(sequence)) + 1
        for group in np.split(np.arange(len(rows)), bounds) if len(rows) else ():
            arrays[0][places[group]] = noise(self._names[sequence[group[0]]], self._frame[rows[group]])


def to_float32(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate the columns of arrays and convert them to float32, with torch because it is faster than numpy."""
    values = concatenate_columns(parts)
    if values.dtype == np.float32 or not values.size:
        return values.astype(np.float32, copy=False)
    import torch

    return torch.from_numpy(values).float().numpy()


def _open_file_limit() -> int:
    """Raise the soft limit of open files and return how many files one matrix may map.

    The training of a head uses two matrices: one to fit the head and one to select the epoch. Each may use three
    eighths of the limit.
    """
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return MAX_OPEN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MAX_OPEN_FILES:
        raised = MAX_OPEN_FILES if hard == resource.RLIM_INFINITY else min(MAX_OPEN_FILES, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return 3 * (MAX_OPEN_FILES if soft == resource.RLIM_INFINITY else min(soft, MAX_OPEN_FILES)) // 8


def concatenate_columns(parts: Sequence[np.ndarray]) -> np.ndarray:
    """Concatenate the columns of arrays with the same number of rows; a single array is returned as it is."""
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)
