"""Batching for networks that take a fixed number of crops."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Outputs = tuple[np.ndarray, np.ndarray]


def run_in_batches(pixels: np.ndarray, count: int, run: Callable[[np.ndarray], Outputs]) -> Outputs:
    """Run a network on any number of crops in batches of fixed size.

    The last batch is padded with zeros; the outputs for the padding are dropped.

    Parameters
    ----------
    pixels : ndarray
        float32 crops of shape (N, 3, S, S), N >= 1, where S is the input size.
    count : int
        Crops per batch.
    run : callable
        Maps one batch, float32 [count, 3, S, S], to embeddings with D columns and scores with K columns.

    Returns
    -------
    embeddings : ndarray
        [N, D].
    scores : ndarray
        [N, K].
    """
    if len(pixels) == count:
        return run(pixels)
    outputs = [_run_padded(pixels[start : start + count], count, run) for start in range(0, len(pixels), count)]
    embeddings, scores = (np.concatenate(parts) for parts in zip(*outputs))
    return embeddings, scores


def _run_padded(pixels: np.ndarray, count: int, run: Callable[[np.ndarray], Outputs]) -> Outputs:
    n_missing = count - len(pixels)
    if not n_missing:
        return run(pixels)
    padded = np.concatenate([pixels, np.zeros((n_missing, *pixels.shape[1:]), np.float32)])
    embeddings, scores = run(padded)
    return embeddings[: len(pixels)], scores[: len(pixels)]
