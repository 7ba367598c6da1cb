"""Rows of a live video as arrays: an hour of it takes as much room as an hour of film."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.live_smoothing import LiveRow

BLOCK = 1000
"""Rows below which arrays are made longer; beyond, new ones are begun, so that no row is moved often."""


@dataclass(frozen=True, eq=False)
class RowArrays:
    """N rows in the order in which they came. frame: int32 [N]; id: int64 [N], as tracked; found: bool [N]; boxes:
    float32 [N, 4]; scores: float32 [N]; raw: float32 [N, C] of each run, NaN where not found; smoothed: float64
    [N, C] of each run.
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
        """Those rows, by a mask or by their places."""
        return _map_arrays(lambda array: array[which], self)

    def until_last_found(self) -> np.ndarray:
        """Bool [N], False after a face was last found."""
        if not len(self):
            return np.zeros(0, bool)
        last = np.full(self.id.max() + 1, -1)
        np.maximum.at(last, self.id[self.found], self.frame[self.found])
        return self.frame <= last[self.id]


def pack_rows(rows: Sequence[LiveRow], widths: Sequence[int]) -> RowArrays:
    """widths: outputs of each run."""
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
        tuple(np.array(own, np.float32).reshape(-1, width) for own, width in zip(raw, widths)),
        tuple(
            np.array([row.smoothed[i] for row in rows], np.float64).reshape(-1, width) for i, width in enumerate(widths)
        ),
    )


def append_rows(blocks: Sequence[RowArrays], *more: RowArrays, all_in_one: bool = False) -> list[RowArrays]:
    """The blocks with more rows behind them; the last one grows until it has BLOCK rows."""
    apart = [] if all_in_one else [*blocks[:-1], *(block for block in blocks[-1:] if len(block) >= BLOCK)]
    rest = [*blocks[len(apart) :], *more]
    return [*apart, _map_arrays(lambda *arrays: np.concatenate(arrays), *rest)] if rest else apart


def _map_arrays(made: Callable[..., np.ndarray], *rows: RowArrays) -> RowArrays:
    """Rows whose every array is made of those of the rows."""
    return RowArrays(
        *(made(*(getattr(one, name) for one in rows)) for name in ("frame", "id", "found", "boxes", "scores")),
        *(
            tuple(made(*arrays) for arrays in zip(*(getattr(one, name) for one in rows)))
            for name in ("raw", "smoothed")
        ),
    )
