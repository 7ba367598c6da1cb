"""The feature rows that a head learns from, as it asks for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from harness.heads.trained import BLOCK


class Matrix(Protocol):
    """Feature rows of some labels, as `harness.features.matrix.FeatureMatrix` gives them.

    rows: the label rows that have features; width: D. stored: as `batches`, in whatever precision they are kept.
    """

    rows: np.ndarray
    width: int

    def gather(self, rows: np.ndarray) -> np.ndarray: ...

    def batches(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...

    def stored(self, size: int, seed: int, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]: ...


def blocks(matrix: Matrix) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All rows of `matrix` in order: (label rows [B], float32 [B, D])."""
    for start in range(0, len(matrix.rows), BLOCK):
        rows = matrix.rows[start:start + BLOCK]
        yield rows, np.asarray(matrix.gather(rows), np.float32)
