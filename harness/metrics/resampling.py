"""How units are drawn with replacement and swapped: the same draws in every process, shared by all that ask for them.

V: units; many units are first put into random groups, so that 200,000 subjects cost no more than a few hundred videos.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

MAX_GROUPS = 512
"""Above it units are put into that many random groups, which are then drawn and swapped in their place. Groups of
independent units are independent, and of equal size, so that a bootstrap over them has the same spread in expectation
(random groups: Wolter, Introduction to Variance Estimation, ch. 2); five hundred know it within 3 %."""
CELLS = 1 << 22
"""Weights drawn at once."""
CACHED_CELLS = 1 << 17
"""Weights given at once: what is worked out for them stays in the cache."""


def random_groups(rows: np.ndarray) -> np.ndarray:
    """Rows [..., V] that add up -> [..., min(V, GROUPS)]; the groups depend on V alone."""
    units = rows.shape[-1]
    if units <= MAX_GROUPS:
        return rows
    order = np.random.default_rng(units).permutation(units)
    starts = np.arange(MAX_GROUPS) * units // MAX_GROUPS
    return np.add.reduceat(rows[..., order], starts, axis=-1)


def bootstrap_weights(units: int, replicates: int, seed: int = 0) -> Iterator[np.ndarray]:
    """float64 [r, V], in parts of r, `replicates` in all: how often each unit is drawn when V are, with replacement."""
    return _iterate_parts(_draw_weights, units, replicates, seed)


def permutation_flips(units: int, permutations: int, seed: int = 0) -> Iterator[np.ndarray]:
    """float64 [r, V] of 0 and 1, in parts of r, `permutations` in all: the units swapped, each with chance 1/2."""
    return _iterate_parts(_draw_flips, units, permutations, seed)


def _iterate_parts(draw, units: int, number: int, seed: int) -> Iterator[np.ndarray]:
    step = max(1, CACHED_CELLS // units)
    for part in _cached_draws(draw, units, number, seed):
        for start in range(0, len(part), step):
            yield part[start : start + step].astype(np.float64)


@functools.lru_cache(maxsize=4)
def _cached_draws(draw, units: int, number: int, seed: int) -> list[np.ndarray]:
    """Drawn once for all the runs of a board, as small integers: a quarter of the memory of weights."""
    generator, step = np.random.default_rng(seed), max(1, CELLS // units)
    return [draw(generator, units, min(step, number - start)) for start in range(0, number, step)]


def _draw_weights(generator: np.random.Generator, units: int, number: int) -> np.ndarray:
    code = generator.integers(units, size=(number, units)) + np.arange(number)[:, None] * units
    return np.bincount(code.ravel(), minlength=number * units).reshape(number, units).astype(np.int16)


def _draw_flips(generator: np.random.Generator, units: int, number: int) -> np.ndarray:
    return generator.integers(2, size=(number, units), dtype=np.int8)
