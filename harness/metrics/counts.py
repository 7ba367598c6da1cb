"""Counts and moments of labels and predictions, and the scores that follow from them.

Denominators, and what is undefined, are those of `harness.metrics.scores`.
"""

from __future__ import annotations

import numpy as np

MOMENTS = ("n", "mean_true", "mean_pred", "ss_true", "ss_pred", "ss_both")
"""Columns of a row of moments: count, means, and sums of squares and products about those means."""

COUNTS = ("tp", "fp", "fn", "tn")
"""Columns of a row of binary counts."""


def concordance(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Concordance correlation of `MOMENTS` [..., 6]: (values [...], defined [...]); undefined values are 0."""
    n, mean_true, mean_pred, ss_true, ss_pred, ss_both = np.moveaxis(moments, -1, 0)
    defined = (ss_true > 0) & (ss_pred > 0)
    spread = ss_true + ss_pred + n * (mean_true - mean_pred) ** 2
    values = np.divide(2 * ss_both, spread, out=np.zeros_like(spread), where=defined)
    return np.clip(values, -1, 1), defined


def f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of counts [...]: (values [...], defined [...]); undefined (nothing labelled, nothing predicted) is 0."""
    counted = np.asarray(2 * tp + fp + fn, dtype=np.float64)
    defined = counted > 0
    return np.divide(2 * tp, counted, out=np.zeros_like(counted), where=defined), defined


def expression_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of each class from confusion counts [..., 8, 8] (true, predicted): (values [..., 8], defined [..., 8])."""
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    return f1(tp, confusion.sum(axis=-2) - tp, confusion.sum(axis=-1) - tp)


def action_unit_f1(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """F1 of each action unit from `COUNTS` [..., 12, 4]: (values [..., 12], defined [..., 12])."""
    return f1(counts[..., 0], counts[..., 1], counts[..., 2])


def moments(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """`MOMENTS` [6] of two columns [N]; those of a constant column have a sum of squares of exactly 0."""
    if not len(y_true):
        return np.zeros(len(MOMENTS))
    means, centred = [], []
    for column in (y_true, y_pred):
        shifted = column - column[0]  # exact zeros for a constant, which the mean's rounding would not give
        means.append(column[0] + shifted.mean())
        centred.append(shifted - shifted.mean())
    t, p = centred
    return np.array([len(t), *means, t @ t, p @ p, t @ p])


def confusion_counts(code: np.ndarray, units: int) -> np.ndarray:
    """int64 [units, 8, 8] counts (true, predicted) of codes [N]: (unit * 8 + true) * 8 + predicted."""
    return np.bincount(code, minlength=units * 64).reshape(units, 8, 8)
