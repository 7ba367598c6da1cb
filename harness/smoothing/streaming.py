"""Causal smoothing of a live stream, frame by frame."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bottleneck
import numpy as np

from harness.smoothing.kernels import CAUSAL, decay, smooth
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


class StreamingFilter:
    """Causal smoothing filter for one face, applied frame by frame as outputs arrive from a camera.

    Call it with the outputs of frame t to get the smoothed outputs of frame t. They equal the last row that `smooth`
    returns for the frames up to t, with gaps filled by method `held` of `fill_gaps`.

    Parameters
    ----------
    kernel : {"none", "trailing_mean", "trailing_median", "exponential"}
        See `smooth`.
    radius : int
        Radius in frames, from 0 to 250.

    Raises
    ------
    InputError
        If the kernel is unknown or needs later frames, or the radius is out of range.

    Examples
    --------
    >>> from harness import StreamingFilter
    >>> stream = StreamingFilter("trailing_mean", 1)
    >>> [stream(outputs) for outputs in ([0.0], [3.0], None)]
    [array([0.]), array([1.5]), array([3.])]
    """

    def __init__(self, kernel: str, radius: int) -> None:
        smooth(np.zeros((0, 1)), kernel, radius)
        if kernel not in (*CAUSAL, "none"):
            raise InputError(
                f"kernel {kernel} needs {radius} later frames, which a live stream does not have; "
                f"use {', '.join(CAUSAL)} or none"
            )
        self.kernel, self.radius = kernel, radius if kernel != "none" else 0
        self._last: np.ndarray | None = None
        self._missed = 0
        self._window: np.ndarray | None = None
        self._seen = 0
        self._sum: np.ndarray | float = 0.0
        self._weight = 0.0

    def __call__(self, outputs: ArrayLike | None) -> np.ndarray | None:
        """Smooth the outputs of the next frame.

        Parameters
        ----------
        outputs : array-like of float, shape (C,), or None
            None for a frame without a crop; the outputs of the last crop are then repeated.

        Returns
        -------
        ndarray of float64, shape (C,), or None
            None before the first crop. When the first crop arrives, the frames before it enter the filter with the
            outputs of this crop.

        Raises
        ------
        InputError
            If a value is NaN or infinite; it would never leave the filter.
        """
        if outputs is None:
            self._missed += self._last is None
            return None if self._last is None else self._update(self._last)
        values = np.array(outputs, dtype=np.float64)
        if not np.isfinite(values).all():
            raise InputError(f"frame {self._seen + self._missed + 1} of the stream contains NaN or infinity")
        self._last = values
        for _ in range(self._missed):
            self._update(values)
        self._missed = 0
        return self._update(values)

    def _update(self, outputs: np.ndarray) -> np.ndarray:
        self._seen += 1
        if self.kernel == "exponential":
            self._sum = outputs + decay(self.radius) * self._sum
            self._weight = 1 + decay(self.radius) * self._weight
            return self._sum / self._weight
        if self._window is None:
            self._window = np.empty((self.radius + 1, len(outputs)))
        self._window[(self._seen - 1) % len(self._window)] = outputs
        window = self._window[: self._seen]
        return bottleneck.median(window, axis=0) if self.kernel == "trailing_median" else window.mean(axis=0)
