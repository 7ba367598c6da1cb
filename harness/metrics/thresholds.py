"""Decision thresholds of the action units."""

from __future__ import annotations

import numpy as np

from harness.metrics.counts import f1
from harness.metrics.tasks import ACTION_UNITS, AU, THRESHOLD_GRID
from harness.utils.errors import InputError


def best_thresholds(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """For each action unit, select the decision threshold with the highest F1 score.

    Parameters
    ----------
    outputs : ndarray of float, shape (N, 12)
        Probabilities.
    targets : ndarray of int, shape (N, 12)
        1 for present, 0 for absent; rows with a negative label are ignored.

    Returns
    -------
    ndarray of float64, shape (12,)
        Values of `harness.metrics.tasks.THRESHOLD_GRID`. Of equally good values, the smallest is selected.

    Raises
    ------
    InputError
        If no row has a valid label, or if outputs are NaN or infinite.

    Examples
    --------
    >>> outputs = np.array([[0.25] * 12, [0.65] * 12])
    >>> best_thresholds(outputs, np.array([[0] * 12, [1] * 12]))[0].item()
    0.3
    """
    valid = AU.valid(np.asarray(targets))
    truth, outputs = np.asarray(targets)[valid] == 1, np.asarray(outputs, dtype=np.float64)[valid]
    if not len(truth) or not np.isfinite(outputs).all():
        raise InputError("thresholds need finite outputs of at least one frame with a valid label")
    levels = len(THRESHOLD_GRID) + 1
    level = np.searchsorted(THRESHOLD_GRID, outputs, side="right")  # number of thresholds at or below the output
    code = (np.arange(len(ACTION_UNITS)) * 2 + truth) * levels + level
    counts = np.bincount(code.ravel(), minlength=len(ACTION_UNITS) * 2 * levels).reshape(-1, 2, levels)
    predicted = counts[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
    fp, tp = predicted[:, 0], predicted[:, 1]
    values, _ = f1(tp, fp, counts[:, 1].sum(axis=-1, keepdims=True) - tp)
    return np.array(THRESHOLD_GRID)[values.argmax(axis=1)]
