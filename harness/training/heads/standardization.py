"""Mean and standard deviation of each column of features."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.training.heads.trained_head import BLOCK_ROWS
from harness.utils.errors import FramelightError

if TYPE_CHECKING:
    from harness.data.dataset import Labels


class Matrix(Protocol):
    """Features of the rows of `Labels`; see `harness.features.matrix.FeatureMatrix`.

    Attributes
    ----------
    rows : ndarray of shape (N,)
        Rows of the labels that have features.
    width : int
        Number of columns D.
    """

    rows: np.ndarray
    width: int

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Read the features [B, D] of the given rows of the labels."""

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield shuffled batches: rows of the labels [B] and their features [B, D]."""

    def stored_batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the same batches in the precision in which the features are stored."""


def iter_blocks(matrix: Matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield all rows of `matrix` in order, as rows of the labels [B] and float32 features [B, D]."""
    for start in range(0, len(matrix.rows), BLOCK_ROWS):
        rows = matrix.rows[start : start + BLOCK_ROWS]
        yield rows, np.asarray(matrix.gather(rows), np.float32)


READ_ROWS, SUM_ROWS = 512, 64
"""Number of rows that are read at once, and number of rows that are summed at once; the latter fit the CPU cache."""


def feature_mean_std(matrix: Matrix, labels: Labels) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and the population standard deviation of each column, block by block.

    The order of summation (the rows of a block, then the blocks) must not change: the last bits of every trained head
    depend on it.

    Parameters
    ----------
    matrix : Matrix
    labels : Labels
        Labels that `matrix.rows` indexes; used to name a sequence and a frame in an error message.

    Returns
    -------
    mean, deviation : ndarray of shape (D,)
        float64.

    Raises
    ------
    FramelightError
        If a feature is not finite.
    """
    count, mean, squares = 0, np.zeros(matrix.width), np.zeros(matrix.width)
    for start in range(0, len(matrix.rows), BLOCK_ROWS):
        rows = matrix.rows[start : start + BLOCK_ROWS]
        size = len(rows)
        center = _sum_rows(matrix, rows) / size
        if not np.isfinite(center).all():
            _raise_not_finite(matrix, labels, rows)
        gap, total = center - mean, count + size
        squares += _sum_rows(matrix, rows, center) + gap**2 * (count * size / total)
        mean, count = mean + gap * (size / total), total
    return mean, np.sqrt(squares / max(count, 1))


def _sum_rows(matrix: Matrix, rows: np.ndarray, center: np.ndarray | None = None) -> np.ndarray:
    """Sum the rows, or the squares of their differences from `center`; float64 [D]."""
    buffer, begin = np.empty((1 + SUM_ROWS, matrix.width)), 1
    for start in range(0, len(rows), READ_ROWS):
        values = np.asarray(matrix.gather(rows[start : start + READ_ROWS]), np.float32)
        for first in range(0, len(values), SUM_ROWS):
            block = values[first : first + SUM_ROWS]
            target = buffer[1 : 1 + len(block)]
            target[...] = block
            if center is not None:
                np.subtract(target, center, out=target)
                np.multiply(target, target, out=target)
            with np.errstate(invalid="ignore"):
                buffer[0] = buffer[begin : 1 + len(block)].sum(axis=0)
            begin = 0
    return buffer[0].copy()


def _raise_not_finite(matrix: Matrix, labels: Labels, rows: np.ndarray) -> None:
    finite = np.isfinite(matrix.gather(rows)).all(axis=1)
    row = rows[int(np.argmin(finite))]
    raise FramelightError(
        f"features are not finite in at least {int((~finite).sum())} rows, first in "
        f"{labels.sequences[labels.sequence[row]]} frame {labels.frame[row]}; extract them again"
    )
