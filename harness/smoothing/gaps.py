"""Fill in the outputs of frames without a crop."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import numpy as np

from harness.smoothing.kernels import validate_matrix
from harness.utils.errors import InputError, unknown_name_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

GAPS = ("linear", "nearest", "published", "held")
"""Methods of `fill_gaps`."""
MAX_FRAME = 2**53


def fill_gaps(frames: ArrayLike, outputs: ArrayLike, length: int, method: str = "linear") -> np.ndarray:
    """Fill in the outputs of frames without a crop.

    With outputs ``o(a)`` and ``o(b)`` of the crops before and after frame t, `linear` gives
    ``o(a) (b - t) / (b - a) + o(b) (t - a) / (b - a)``. Frames before the first crop get the outputs of the first crop;
    frames after the last crop get the outputs of the last crop.

    Parameters
    ----------
    frames : array-like of int, shape (n,)
        Ascending 1-based numbers of the frames that have a crop, at least one.
    outputs : array-like of float, shape (n, columns)
        Outputs of these frames.
    length : int
        Number of frames of the video. Crops of later frames are used in the interpolation, but these frames are not
        returned.
    method : {"linear", "nearest", "published", "held"}, default="linear"
        `linear`: linear interpolation. `nearest`: outputs of the nearest crop; of the earlier crop if two are equally
        near. `held`: outputs of the last crop so far (forward fill), which is all that is available in a live stream.
        `published`: linear interpolation in which the weights of the two crops are swapped. Use it only to reproduce
        the published results of the third ABAW challenge (Savchenko 2022).

    Returns
    -------
    ndarray of float64, shape (length, columns)

    Raises
    ------
    InputError
        If the method is unknown, there are no crops, a value is not finite, or the length is negative. Also if frame
        numbers do not ascend, if one is below 1, or if there are more or fewer of them than rows of outputs.

    References
    ----------
    Savchenko (2022), Frame-level Prediction of Facial Expressions, Valence, Arousal and Action Units for Mobile
    Devices, arXiv:2203.13436.

    Examples
    --------
    >>> from harness.smoothing import fill_gaps
    >>> fill_gaps([2, 5], [[0.0], [3.0]], 6).ravel()
    array([0., 0., 1., 2., 3., 3.])
    >>> fill_gaps([2, 5], [[0.0], [3.0]], 6, method="held").ravel()
    array([0., 0., 0., 0., 3., 3.])
    """
    if method not in GAPS:
        raise unknown_name_error("gaps", method, GAPS)
    numbers, values = _validate_frames(frames), validate_matrix(outputs, "outputs")
    if numbers.shape != (len(values),):
        raise InputError(f"{numbers.size} frame numbers for {len(values)} rows of outputs; give one for each row")
    if not len(numbers):
        raise InputError("no frame has a crop, so the gaps cannot be filled; give at least one frame")
    if length < 0:
        raise InputError(f"the length of a video must be 0 frames or more; got length {length}")
    if numbers[0] < 1 or (numbers[1:] <= numbers[:-1]).any():
        raise InputError("frame numbers must start at 1 or later and ascend without repetition")
    dense = np.arange(1, operator.index(length) + 1)
    right = np.searchsorted(numbers, dense).clip(max=len(numbers) - 1)
    left = np.where(numbers[right] > dense, right - 1, right).clip(min=0)
    span = numbers[right] - numbers[left]
    weight = _later_weight(dense - numbers[left], span, method)[:, None]
    return values[left] * (1 - weight) + values[right] * weight


def _validate_frames(frames: ArrayLike) -> np.ndarray:
    """Convert frame numbers to int64; differences of unsigned integers would wrap around."""
    numbers = np.asarray(frames)
    if numbers.size == 0:
        return numbers.astype(np.int64)
    is_number = numbers.dtype.kind in "iuf"
    if not is_number or not (np.isfinite(numbers) & (np.abs(numbers.astype(np.float64)) < MAX_FRAME)).all():
        raise InputError(f"frame numbers must be integers below 2**53; got values of type {numbers.dtype}")
    integers = numbers.astype(np.int64)
    if (integers != numbers).any():
        raise InputError("frame numbers must be integers; got fractions")
    return integers


def _later_weight(elapsed: np.ndarray, span: np.ndarray, method: str) -> np.ndarray:
    """Return the weight of the later of two crops, `span` frames apart, at `elapsed` frames after the earlier crop."""
    if method == "held":
        return np.zeros(len(elapsed))
    if method == "nearest":
        return (2 * elapsed > span).astype(np.float64)
    linear = elapsed / np.maximum(span, 1)
    return np.where(span > 0, 1 - linear, 0.0) if method == "published" else linear
