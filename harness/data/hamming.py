"""Search for pairs of 64-bit hashes that differ in a few bits, without comparing all pairs."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

MAX_DISTANCE = 2
"""Maximum number of differing bits."""

BANDS = tuple(np.uint64(sum(1 << bit for bit in range(band, 64, MAX_DISTANCE + 2))) for band in range(MAX_DISTANCE + 2))
"""Masks of every fourth bit. Hashes that differ in at most two bits are equal in at least two of these four bands."""

MASKS = tuple(first | second for first, second in combinations(BANDS, 2))
CHUNK = 1 << 22
"""Number of candidate pairs that are compared at once."""


def hamming_neighbors(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Find all pairs of hashes that differ in at most `MAX_DISTANCE` bits.

    Parameters
    ----------
    first : uint64 array of shape (N,)
    second : uint64 array of shape (M,)
        Neither array may contain duplicates.

    Returns
    -------
    int64 array of shape (P, 2)
        Indices (i, j) of first[i] and second[j], in ascending order.
    """
    pairs = [_pairs_equal_under_mask(first, second, mask) for mask in MASKS]
    return np.unique(np.concatenate(pairs), axis=0)


def _pairs_equal_under_mask(first: np.ndarray, second: np.ndarray, mask: np.uint64) -> np.ndarray:
    order = np.argsort(second & mask, kind="stable")
    keys = (second & mask)[order]
    queries = first & mask
    begin, end = np.searchsorted(keys, queries, "left"), np.searchsorted(keys, queries, "right")
    pairs = [np.zeros((0, 2), np.int64)]
    for i, at in _candidate_pairs(begin, end):
        j = order[at]
        near = np.bitwise_count(first[i] ^ second[j]) <= MAX_DISTANCE
        pairs.append(np.stack([i[near], j[near]], axis=1))
    return np.concatenate(pairs)


def _candidate_pairs(begin: np.ndarray, end: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yield chunks of all (i, position) with begin[i] <= position < end[i]."""
    counts = end - begin
    rows = np.flatnonzero(counts)
    ends = np.cumsum(counts[rows])
    for start in range(0, int(ends[-1]) if len(ends) else 0, CHUNK):
        number = np.arange(start, min(start + CHUNK, int(ends[-1])))
        at = np.searchsorted(ends, number, side="right")
        yield rows[at], begin[rows[at]] + number - (ends[at] - counts[rows[at]])
