"""Random groups of units (videos or subjects), and random draws of units for permutation tests.

V is the number of units. The draws depend on the arguments alone, so every process gets the same draws. Many units are
first combined into random groups, so that 200,000 subjects cost no more than a few hundred videos.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

MAX_GROUPS = 512
"""Maximum number of units. More units are combined into this many random groups, which then take the place of units:
groups instead of units are left out and permuted. The groups are independent if the units are, and almost equal in
size. The expected variance is therefore the same (random groups method: Wolter, Introduction to Variance Estimation,
ch. 2). With 512 groups, the standard error is estimated to within 3%.
"""
CELLS = 1 << 22
"""Maximum number of flips drawn at once."""
CACHED_CELLS = 1 << 17
"""Maximum number of flips yielded at once, small enough that derived arrays stay in the processor's cache."""


def random_groups(rows: np.ndarray) -> np.ndarray:
    """Combine many units into random groups of almost equal size by adding up their statistics.

    Parameters
    ----------
    rows : ndarray of shape (..., V)
        Additive statistics of each unit.

    Returns
    -------
    ndarray of shape (..., min(V, MAX_GROUPS))
        Sums by group; `rows` itself if V is at most `MAX_GROUPS`. The assignment to groups depends on V alone.

    Examples
    --------
    >>> random_groups(np.ones((1, 1024))).shape
    (1, 512)
    """
    units = rows.shape[-1]
    if units <= MAX_GROUPS:
        return rows
    order = np.random.default_rng(units).permutation(units)
    starts = np.arange(MAX_GROUPS) * units // MAX_GROUPS
    return np.add.reduceat(rows[..., order], starts, axis=-1)


def permutation_flips(units: int, permutations: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Draw the units on which two runs are exchanged, each with probability 1/2.

    Parameters
    ----------
    units : int
        V.
    permutations : int
        Number of draws in total.
    seed : int, default=0

    Yields
    ------
    ndarray of float64, shape (r, V)
        The next r draws: 1 for exchanged units, 0 for the others.

    Examples
    --------
    >>> flips = np.concatenate(list(permutation_flips(units=4, permutations=100)))
    >>> flips.shape, set(flips.ravel().tolist())
    ((100, 4), {0.0, 1.0})
    """
    step = max(1, CACHED_CELLS // units)
    for part in _cached_flips(units, permutations, seed):
        for start in range(0, len(part), step):
            yield part[start : start + step].astype(np.float64)


@functools.lru_cache(maxsize=4)
def _cached_flips(units: int, permutations: int, seed: int) -> list[np.ndarray]:
    """Draw the flips once for all runs of a board, as int8, which takes an eighth of the memory of float64."""
    generator, step = np.random.default_rng(seed), max(1, CELLS // units)
    return [
        generator.integers(2, size=(min(step, permutations - start), units), dtype=np.int8)
        for start in range(0, permutations, step)
    ]
