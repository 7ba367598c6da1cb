"""Fill the outputs of frames without a crop."""

from __future__ import annotations

import operator

import numpy as np

from harness.smoothing.kernels import validate_matrix
from harness.utils.errors import InputError, unknown_name_error

GAPS = ("linear", "nearest", "published", "held")


def fill_gaps(frames: np.ndarray, outputs: np.ndarray, length: int, method: str = "linear") -> np.ndarray:
    """Fill in the outputs of frames without a crop.

    Parameters
    ----------
    frames : array-like of n ints
        Ascending 1-based numbers of the frames that have a crop, at least one.
    outputs : array-like of shape (n, columns)
        Their outputs.
    length : int
        Number of frames of the video. Later frames take part in the interpolation and are cut off.
    method : {"linear", "nearest", "published", "held"}
        What frames between two crops get: values interpolated between them; those of the nearest crop, the earlier one
        of two equally near; or those of the crop before, all that is known while a camera runs (`held`). `published`
        exchanges the weights of the interpolation, as the published figures of the third ABAW challenge were computed
        (Savchenko 2022); use it only to reproduce them. Before the first crop and after the last, frames get the values
        of that crop.

    Returns
    -------
    float64 array of shape (length, columns)

    Raises
    ------
    InputError
        For an unknown method, no crop at all, frame numbers that do not ascend from 1 on, NaN or infinity.

    Examples
    --------
    >>> fill_gaps([2, 5], [[0.0], [3.0]], 6).ravel()
    array([0., 0., 1., 2., 3., 3.])
    """
    if method not in GAPS:
        raise unknown_name_error("gaps", method, GAPS)
    frames, outputs = np.asarray(frames), validate_matrix(outputs, "outputs")
    if frames.shape != (len(outputs),):
        raise InputError(f"{frames.size} frame numbers for {len(outputs)} rows of outputs; give one for each row")
    if not len(frames):
        raise InputError("no frame has a crop, so there is nothing to fill the gaps from")
    if length < 0:
        raise InputError(f"a video has 0 frames or more; got length {length}")
    if frames[0] < 1 or (np.diff(frames) <= 0).any():
        raise InputError("frame numbers must start at 1 or later and ascend without repetition")
    dense = np.arange(1, operator.index(length) + 1)
    right = np.searchsorted(frames, dense).clip(max=len(frames) - 1)
    left = np.where(frames[right] > dense, right - 1, right).clip(min=0)
    span = frames[right] - frames[left]
    weight = _later_weight(dense - frames[left], span, method)[:, None]
    return outputs[left] * (1 - weight) + outputs[right] * weight


def _later_weight(gone: np.ndarray, span: np.ndarray, method: str) -> np.ndarray:
    """Weight of the later of two crops, `gone` frames after the earlier one; 0 where they are the same (span 0)."""
    if method == "held":
        return np.zeros(len(gone))
    if method == "nearest":
        return (2 * gone > span).astype(np.float64)
    linear = gone / np.maximum(span, 1)
    return np.where(span > 0, 1 - linear, 0.0) if method == "published" else linear
