"""Confusion counts and moments of labels and predictions, and the scores computed from them.

`harness.metrics.scores` explains which scores are undefined and how they are counted.
"""

from __future__ import annotations

import numpy as np

MOMENTS = ("n", "mean_true", "mean_pred", "ss_true", "ss_pred", "ss_both")
"""Columns of a row of moments: number of frames, means, and centered sums of squares and products."""

COUNTS = ("tp", "fp", "fn", "tn")
"""Columns of a row of binary counts: true and false positives, false and true negatives."""


def concordance(moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the concordance correlation coefficient from moments.

    ``CCC = 2 ss_both / (ss_true + ss_pred + n (mean_true - mean_pred)^2)`` (Lin 1989).

    Parameters
    ----------
    moments : ndarray of shape (..., 6)
        Rows of `MOMENTS`.

    Returns
    -------
    values : ndarray of float64, shape (...)
        Between -1 and 1; 0 if undefined.
    defined : ndarray of bool, shape (...)
        False if the labels or the predictions are constant.

    Examples
    --------
    >>> values, defined = concordance(np.array([3.0, 0.5, 0.5, 2.0, 2.0, 1.0]))
    >>> float(values), bool(defined)
    (0.5, True)
    """
    n, mean_true, mean_pred, ss_true, ss_pred, ss_both = np.moveaxis(moments, -1, 0)
    defined = (ss_true > 0) & (ss_pred > 0)
    denominator = ss_true + ss_pred + n * (mean_true - mean_pred) ** 2
    values = np.divide(2 * ss_both, denominator, out=np.zeros_like(denominator), where=defined)
    return np.clip(values, -1, 1), defined


def f1(tp: np.ndarray, fp: np.ndarray, fn: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute F1 scores from counts: ``F1 = 2 tp / (2 tp + fp + fn)``.

    Parameters
    ----------
    tp, fp, fn : ndarray of int, shape (...)
        True positives, false positives and false negatives.

    Returns
    -------
    values : ndarray of float64, shape (...)
        Between 0 and 1; 0 if undefined.
    defined : ndarray of bool, shape (...)
        False if all three counts are 0.

    Examples
    --------
    >>> f1(np.array([3, 0]), np.array([1, 0]), np.array([1, 0]))
    (array([0.75, 0.  ]), array([ True, False]))
    """
    denominator = np.asarray(2 * tp + fp + fn, dtype=np.float64)
    defined = denominator > 0
    return np.divide(2 * tp, denominator, out=np.zeros_like(denominator), where=defined), defined


def expression_f1(confusion: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the F1 score of each expression from confusion counts.

    Parameters
    ----------
    confusion : ndarray of int, shape (..., 8, 8)
        Counts by true class (rows) and predicted class (columns).

    Returns
    -------
    values : ndarray of float64, shape (..., 8)
    defined : ndarray of bool, shape (..., 8)
        See `f1`.

    Examples
    --------
    >>> values, defined = expression_f1(np.diag([3, 2, 0, 0, 0, 0, 0, 0]))
    >>> values[:3].tolist(), defined[:3].tolist()
    ([1.0, 1.0, 0.0], [True, True, False])
    """
    tp = np.diagonal(confusion, axis1=-2, axis2=-1)
    return f1(tp, confusion.sum(axis=-2) - tp, confusion.sum(axis=-1) - tp)


def action_unit_f1(counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute the F1 score of each action unit from binary counts.

    Parameters
    ----------
    counts : ndarray of int, shape (..., 12, 4)
        Rows of `COUNTS`.

    Returns
    -------
    values : ndarray of float64, shape (..., 12)
    defined : ndarray of bool, shape (..., 12)
        See `f1`.

    Examples
    --------
    >>> values, defined = action_unit_f1(np.tile([1, 1, 1, 5], (12, 1)))
    >>> float(values[0]), bool(defined.all())
    (0.5, True)
    """
    return f1(counts[..., 0], counts[..., 1], counts[..., 2])


def moments(y_true: np.ndarray, y_pred: np.ndarray) -> np.ndarray:
    """Compute the moments of a column of labels and a column of predictions.

    Parameters
    ----------
    y_true, y_pred : ndarray of float64, shape (N,)

    Returns
    -------
    ndarray of float64, shape (6,)
        `MOMENTS`; the sum of squares of a constant column is exactly 0. All are 0 if N is 0.

    Examples
    --------
    >>> moments(np.array([0.0, 1.0]), np.array([1.0, 1.0])).tolist()
    [2.0, 0.5, 1.0, 0.5, 0.0, 0.0]
    """
    if not len(y_true):
        return np.zeros(len(MOMENTS))
    means, centered = [], []
    for column in (y_true, y_pred):
        shifted = column - column[0]  # a constant column gives exact zeros in spite of rounding
        means.append(column[0] + shifted.mean())
        centered.append(shifted - shifted.mean())
    t, p = centered
    return np.array([len(t), *means, t @ t, p @ p, t @ p])


def confusion_counts(code: np.ndarray, units: int) -> np.ndarray:
    """Count the confusions of expressions in each unit.

    Parameters
    ----------
    code : ndarray of int, shape (N,)
        ``(unit * 8 + true) * 8 + predicted`` of each frame.
    units : int

    Returns
    -------
    ndarray of int64, shape (units, 8, 8)
        Counts by true class (rows) and predicted class (columns).

    Examples
    --------
    >>> confusion_counts(np.array([1 * 8 + 2, 1 * 8 + 2]), units=1)[0, 1, 2].item()
    2
    """
    return np.bincount(code, minlength=units * 64).reshape(units, 8, 8)
