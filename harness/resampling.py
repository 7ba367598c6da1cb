"""Units drawn with replacement: fast for a hundred videos and for 200,000 subjects of one image each."""

from __future__ import annotations

import numpy as np

MANY_UNITS = 4096
"""Above it a multinomial over the units is slow; they are drawn by kinds where they are of few, else one by one."""


def kinds_of(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Statistics [V, K] of V units -> (kinds [M, K], int64 [M] units of each kind).

    To draw a kind as often as units of it would be drawn is to draw the units: many units of one image are of few
    kinds, which are the distinct rows. Every unit is a kind of its own where there are few units or many kinds.
    """
    if len(rows) > MANY_UNITS and rows.dtype.kind == "i":
        narrow = np.ascontiguousarray(rows.astype(np.min_scalar_type(rows.max())))
        as_bytes = narrow.view(np.dtype((np.void, narrow.itemsize * narrow.shape[1]))).ravel()
        _, first, counts = np.unique(as_bytes, return_index=True, return_counts=True)
        if len(first) <= MANY_UNITS:
            return rows[first], counts
    return rows, np.ones(len(rows), np.int64)


def weights(generator: np.random.Generator, units: int, multiplicity: np.ndarray, replicates: int) -> np.ndarray:
    """float64 [replicates, M]: how often each kind is drawn when as many units are drawn as there are.

    multiplicity: int64 [M], as of `kinds_of` for `units` units.
    """
    if len(multiplicity) <= MANY_UNITS:
        return generator.multinomial(units, multiplicity / units, size=replicates).astype(np.float64)
    draws = (generator.integers(units, size=units, dtype=np.int32) for _ in range(replicates))
    return np.stack([np.bincount(draw, minlength=units) for draw in draws]).astype(np.float64)
