"""Pairs of 64-bit hashes that differ in a few bits, found without a comparison of all with all."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

MAX_DISTANCE = 2
"""Bits by which two hashes may differ."""

BANDS = tuple(np.uint64(sum(1 << bit for bit in range(band, 64, MAX_DISTANCE + 2))) for band in range(MAX_DISTANCE + 2))
"""Masks of every fourth bit. Two hashes that differ in at most two bits agree in two of these four whole bands."""

MASKS = tuple(one | other for one, other in combinations(BANDS, 2))
CHUNK = 1 << 22
"""Candidate pairs that are compared at once."""


def hamming_neighbors(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """int64 [P, 2]: (i, j), ascending, of all first[i] and second[j] that differ in at most `MAX_DISTANCE` bits.

    first, second: uint64 [N] and [M] without repetitions.
    """
    found = [_pairs_equal_under_mask(first, second, mask) for mask in MASKS]
    return np.unique(np.concatenate(found), axis=0)


def _pairs_equal_under_mask(first: np.ndarray, second: np.ndarray, mask: np.uint64) -> np.ndarray:
    order = np.argsort(second & mask, kind="stable")
    keys = (second & mask)[order]
    wanted = first & mask
    begin, end = np.searchsorted(keys, wanted, "left"), np.searchsorted(keys, wanted, "right")
    found = [np.zeros((0, 2), np.int64)]
    for i, at in _candidate_pairs(begin, end):
        j = order[at]
        near = np.bitwise_count(first[i] ^ second[j]) <= MAX_DISTANCE
        found.append(np.stack([i[near], j[near]], axis=1))
    return np.concatenate(found)


def _candidate_pairs(begin: np.ndarray, end: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Chunks of (i, a place from begin[i] to end[i])."""
    counts = end - begin
    rows = np.flatnonzero(counts)
    ends = np.cumsum(counts[rows])
    for start in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
        number = np.arange(start, min(start + CHUNK, int(ends[-1])))
        at = np.searchsorted(ends, number, side="right")
        yield rows[at], begin[rows[at]] + number - (ends[at] - counts[rows[at]])
