"""Conversion of sufficient statistics to sums that add up over units (videos or subjects), and back."""

from __future__ import annotations

import numpy as np


def to_additive_sums(block: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert the statistics of a block to sums that add up over units, and return their center.

    For block `va`, the sums are of deviations from a center. It has the shape (2, 2): the means of labels and
    predictions over all rows, for valence and arousal. Each mean is computed as the mean of one unit plus an offset, so
    that a constant column deviates from it by exactly 0. For other blocks, the statistics are returned unchanged, and
    the center is 0.
    """
    if block != "va":
        return values, np.zeros((2, 2))
    n, means = values[..., :1], values[..., 1:3]
    flat_n, flat_means = n.reshape(-1, 2, 1), means.reshape(-1, 2, 2)
    first = flat_means[flat_n[:, 0, 0].argmax()] if len(flat_n) else np.zeros((2, 2))
    center = first + (flat_n * (flat_means - first)).sum(axis=0) / max(flat_n[:, 0].sum(), 1)
    offset = means - center
    products = np.stack([offset[..., 0] ** 2, offset[..., 1] ** 2, offset.prod(axis=-1)], axis=-1)
    return np.concatenate([n, n * offset, values[..., 3:] + n * products], axis=-1), center


def from_additive_sums(block: str, sums: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Convert the result of `to_additive_sums`, added up over units, back to statistics.

    For block `va`, these are counts, means, and sums of squares and products of deviations from the means.
    """
    if block != "va":
        return sums
    n, first, squares = sums[..., :1], sums[..., 1:3], sums[..., 3:]
    offset = np.divide(first, n, out=np.zeros_like(first), where=n > 0)
    products = np.stack([offset[..., 0] ** 2, offset[..., 1] ** 2, offset.prod(axis=-1)], axis=-1)
    squares = squares - n * products
    squares[..., :2] = np.maximum(squares[..., :2], 0)
    return np.concatenate([n, np.where(n > 0, center + offset, 0), squares], axis=-1)
