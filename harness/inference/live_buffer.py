"""Rows of a live session as compact arrays, so that memory grows slowly over hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.live_smoothing import LiveRow

BLOCK = 1000
"""Number of rows at which a block is full. Further rows start a new block, so that no row is copied often."""


@dataclass(frozen=True, eq=False)
class RowArrays:
    """N rows in order of arrival, one for each face of each frame.

    Attributes
    ----------
    frame : ndarray of shape (N,)
        int32.
    id : ndarray of shape (N,)
        int64 track ids.
    found : ndarray of shape (N,)
        bool.
    boxes : ndarray of shape (N, 4)
        float32.
    scores : ndarray of shape (N,)
        float32.
    raw : tuple of ndarray of shape (N, C)
        float32 outputs of each run, NaN where the face was not found.
    smoothed : tuple of ndarray of shape (N, C)
        float64 outputs of each run.
    """

    frame: np.ndarray
    id: np.ndarray
    found: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    raw: tuple[np.ndarray, ...]
    smoothed: tuple[np.ndarray, ...]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, which: np.ndarray) -> RowArrays:
        """Select rows by a mask or by indices."""
        return _map_arrays(lambda array: array[which], self)

    def until_last_found(self) -> np.ndarray:
        """Compute a mask [N] that is False for the rows of a face after the last frame in which the face was found."""
        if not len(self):
            return np.zeros(0, bool)
        last = np.full(self.id.max() + 1, -1)
        np.maximum.at(last, self.id[self.found], self.frame[self.found])
        return self.frame <= last[self.id]


def pack_rows(rows: Sequence[LiveRow], widths: Sequence[int]) -> RowArrays:
    """Convert rows to arrays; `widths` are the numbers of outputs of the runs."""
    raw = [
        [np.full(width, np.nan, np.float32) if row.raw is None else row.raw[i] for row in rows]
        for i, width in enumerate(widths)
    ]
    return RowArrays(
        np.array([row.frame for row in rows], np.int32),
        np.array([row.id for row in rows], np.int64),
        np.array([row.found for row in rows], bool),
        np.array([row.box for row in rows], np.float32).reshape(-1, 4),
        np.array([row.score for row in rows], np.float32),
        tuple(np.array(values, np.float32).reshape(-1, width) for values, width in zip(raw, widths)),
        tuple(
            np.array([row.smoothed[i] for row in rows], np.float64).reshape(-1, width) for i, width in enumerate(widths)
        ),
    )


def append_rows(blocks: Sequence[RowArrays], *more: RowArrays, all_in_one: bool = False) -> list[RowArrays]:
    """Append rows to blocks.

    Parameters
    ----------
    blocks : sequence of RowArrays
    *more : RowArrays
        Rows to append.
    all_in_one : bool
        Concatenate everything into one block. Otherwise, the rows are added to the last block or, if that is full, form
        a new one.

    Returns
    -------
    list of RowArrays
    """
    full = [] if all_in_one else [*blocks[:-1], *(block for block in blocks[-1:] if len(block) >= BLOCK)]
    rest = [*blocks[len(full) :], *more]
    return [*full, _map_arrays(lambda *arrays: np.concatenate(arrays), *rest)] if rest else full


def _map_arrays(function: Callable[..., np.ndarray], *blocks: RowArrays) -> RowArrays:
    """Apply a function to each array of the blocks."""
    frame, ids, found, boxes, scores = (
        function(*(getattr(block, name) for block in blocks)) for name in ("frame", "id", "found", "boxes", "scores")
    )
    raw, smoothed = (
        tuple(function(*arrays) for arrays in zip(*(getattr(block, name) for block in blocks)))
        for name in ("raw", "smoothed")
    )
    return RowArrays(frame, ids, found, boxes, scores, raw, smoothed)
