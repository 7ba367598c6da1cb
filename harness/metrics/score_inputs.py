"""Validation of the labels and predictions that scores take."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from harness.metrics.tasks import EXPR, Output
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def validate_expressions(y_true: ArrayLike, y_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return the true and predicted classes of rows with a valid label; raise `InputError` if a class is not 0 to 7."""
    labels, predictions = select_valid(EXPR, *validate_pair(y_true, y_pred, (), finite=False))
    for name, values in (("labels", labels), ("predictions", predictions)):
        invalid = values[~np.isin(values, range(8))]
        if len(invalid):
            raise InputError(f"{name} of expressions must be the class numbers 0 to 7; found {invalid[0]:g}")
    return labels.astype(np.int64), predictions.astype(np.int64)


def select_valid(output: Output, y_true: np.ndarray, y_pred: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of both arrays that have a valid label."""
    rows = output.valid(y_true)
    return y_true[rows], y_pred[rows]


def validate_pair(
    y_true: ArrayLike, y_pred: ArrayLike, width: tuple[int, ...], finite: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Convert both arrays to float64; raise `InputError` unless both have rows of shape `width` and are finite."""
    pair = []
    for name, array in (("labels", y_true), ("predictions", y_pred)):
        values = np.asarray(array, dtype=np.float64)
        values = values.reshape(0, *width) if values.size == 0 else values
        if values.shape[1:] != width or values.ndim != 1 + len(width):
            expected = ", ".join(["N", *map(str, width)])
            raise InputError(f"{name} have shape {list(values.shape)}; expected [{expected}]")
        if finite and not np.isfinite(values).all():
            row = np.flatnonzero(~np.isfinite(values.reshape(len(values), -1)).all(axis=1))[0]
            raise InputError(f"{name} contain NaN or infinity, first in row {row}; remove or correct such rows")
        pair.append(values)
    if len(pair[0]) != len(pair[1]):
        raise InputError(f"{len(pair[0])} labels but {len(pair[1])} predictions; give one prediction for each label")
    return pair[0], pair[1]
