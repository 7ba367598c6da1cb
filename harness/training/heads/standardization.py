"""Mean and deviation of each column of features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.training.heads.trained_head import BLOCK_ROWS
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.data.dataset import Labels


class Matrix(Protocol):
    """Feature rows of some labels, as `harness.features.matrix.FeatureMatrix` gives them.

    rows: the label rows that have features; width: D. stored: as `batches`, in whatever precision they are kept.
    """

    rows: np.ndarray
    width: int

    def gather(self, rows: np.ndarray) -> np.ndarray: ...

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...

    def stored_batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...


def iter_blocks(matrix: Matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All rows of `matrix` in order: (label rows [B], float32 [B, D])."""
    for start in range(0, len(matrix.rows), BLOCK_ROWS):
        rows = matrix.rows[start : start + BLOCK_ROWS]
        yield rows, np.asarray(matrix.gather(rows), np.float32)


READ_ROWS, SUM_ROWS = 512, 64
"""Rows that are read at once, and those of them that are added up while they are in the cache."""


def feature_mean_std(matrix: Matrix, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Mean and population deviation of each column, float64 [D], in one pass; FramelightError at the first bad row.

    The rows of a block are added one after another, as numpy adds them, and then the blocks: whoever changes the
    order changes the last bits of every head.
    """
    count, mean, squares = 0, np.zeros(matrix.width), np.zeros(matrix.width)
    for start in range(0, len(matrix.rows), BLOCK_ROWS):
        rows = matrix.rows[start : start + BLOCK_ROWS]
        size = len(rows)
        centre = _sum_rows(matrix, rows) / size
        if not np.isfinite(centre).all():
            _raise_not_finite(matrix, labels, rows)
        gap, total = centre - mean, count + size
        squares += _sum_rows(matrix, rows, centre) + gap**2 * (count * size / total)
        mean, count = mean + gap * (size / total), total
    return mean, np.sqrt(squares / max(count, 1))


def _sum_rows(matrix: Matrix, rows: np.ndarray, centre: np.ndarray | None = None) -> np.ndarray:
    """float64 [D]: the sum of these rows, or of the squares of their distance from `centre`."""
    room, begin = np.empty((1 + SUM_ROWS, matrix.width)), 1
    for at in range(0, len(rows), READ_ROWS):
        values = np.asarray(matrix.gather(rows[at : at + READ_ROWS]), np.float32)
        for first in range(0, len(values), SUM_ROWS):
            few = values[first : first + SUM_ROWS]
            place = room[1 : 1 + len(few)]
            place[...] = few
            if centre is not None:
                np.subtract(place, centre, out=place)
                np.multiply(place, place, out=place)
            with np.errstate(invalid="ignore"):
                room[0] = room[begin : 1 + len(few)].sum(axis=0)
            begin = 0
    return room[0].copy()


def _raise_not_finite(matrix: Matrix, labels: Labels, rows: np.ndarray) -> None:
    finite = np.isfinite(matrix.gather(rows)).all(axis=1)
    row = rows[int(np.argmin(finite))]
    raise FramelightError(
        f"features that are not finite in {int((~finite).sum())} rows, first in "
        f"{labels.sequences[labels.sequence[row]]} frame {labels.frame[row]}; extract them again"
    )
