"""Batches for a network that takes a fixed number of crops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Outputs = tuple[np.ndarray, np.ndarray]


def run_in_batches(pixels: np.ndarray, count: int, run: Callable[[np.ndarray], Outputs]) -> Outputs:
    """Embeddings [N, D] and scores [N, K] of float32 [N, 3, S, S], N >= 1, from runs of exactly `count` crops.

    A short piece is filled up with zeros, and what comes out for those is cut off.
    """
    if len(pixels) == count:
        return run(pixels)
    outputs = [_run_padded(pixels[start : start + count], count, run) for start in range(0, len(pixels), count)]
    embeddings, scores = (np.concatenate(parts) for parts in zip(*outputs))
    return embeddings, scores


def _run_padded(piece: np.ndarray, count: int, run: Callable[[np.ndarray], Outputs]) -> Outputs:
    absent = count - len(piece)
    if not absent:
        return run(piece)
    filled = np.concatenate([piece, np.zeros((absent, *piece.shape[1:]), np.float32)])
    embeddings, scores = run(filled)
    return embeddings[: len(piece)], scores[: len(piece)]
