"""The causal kernels frame by frame, as a camera brings them."""

from __future__ import annotations

import bottleneck
import numpy as np

from harness.smoothing.kernels import CAUSAL, decay, smooth
from harness.utils.errors import InputError


class StreamingFilter:
    """Smooth the outputs of one face frame by frame, as a camera brings them.

    For frame t it returns what `smooth` returns at t for the frames up to t, gaps filled as `held`.

    Parameters
    ----------
    kernel : {"none", "trailing_mean", "trailing_median", "exponential"}
    radius : int from 0 to 250

    Raises
    ------
    InputError
        For a kernel that needs later frames, an unknown kernel, or a radius out of range.

    Examples
    --------
    >>> stream = StreamingFilter("trailing_mean", 1)
    >>> [stream(outputs) for outputs in ([0.0], [3.0], None)]
    [array([0.]), array([1.5]), array([3.])]
    """

    def __init__(self, kernel: str, radius: int) -> None:
        smooth(np.zeros((0, 1)), kernel, radius)
        if kernel not in (*CAUSAL, "none"):
            raise InputError(
                f"kernel {kernel} reads {radius} frames of the future, which a camera does not have; "
                f"take {', '.join(CAUSAL)} or none"
            )
        self.kernel, self.radius = kernel, radius if kernel != "none" else 0
        self._last: np.ndarray | None = None
        self._missed = 0
        self._window: np.ndarray | None = None
        self._seen = 0
        self._sum: np.ndarray | float = 0.0
        self._weight = 0.0

    def __call__(self, outputs: np.ndarray | None) -> np.ndarray | None:
        """Outputs [C] of the next frame -> float64 [C] smoothed; None is a frame without a crop.

        Frames without one repeat the last crop's outputs; those before the first crop are None, and count later as if
        they had been like it. InputError for NaN or infinity, which would never leave the filter.
        """
        if outputs is None:
            self._missed += self._last is None
            return None if self._last is None else self._update(self._last)
        outputs = np.array(outputs, dtype=np.float64)
        if not np.isfinite(outputs).all():
            raise InputError(f"frame {self._seen + self._missed + 1} of a stream holds NaN or infinity")
        self._last = outputs
        for _ in range(self._missed):
            self._update(outputs)
        self._missed = 0
        return self._update(outputs)

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
