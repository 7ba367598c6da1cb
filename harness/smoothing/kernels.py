"""Smoothing of the outputs of a video in time.

T is the number of frames of a video; C is the number of output columns. The window of radius r at frame t covers frames
t - r to t + r and is truncated at the ends of the video, without padding. Columns are smoothed independently, before
argmax or thresholds are applied (Savchenko 2022).

The kernels in `CAUSAL` use no later frames. The windows of `trailing_mean` and `trailing_median` cover frames t - r to
t. `exponential` is an exponential moving average with smoothing factor 2 / (r + 2), normalized so that the first frames
are not biased. These kernels have a mean lag of r / 2 frames, so they smooth about equally at the same radius.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import bottleneck
import numpy as np

from harness.utils.errors import InputError, unknown_name_error

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

MAX_RADIUS = 250
"""Largest radius, in frames."""
CAUSAL = ("trailing_mean", "trailing_median", "exponential")
"""Kernels that use no later frames and can therefore be applied to a live stream."""

Kernel = Callable[[list[np.ndarray], list[int]], Iterator[np.ndarray]]
"""Function of several videos and ascending radii. Each video is a contiguous float64 array of shape (C, T). For each
radius, the function yields one array of shape (C, sum of T) with all videos."""


def smooth(outputs: ArrayLike, kernel: str, radius: int) -> np.ndarray:
    """Smooth the outputs of a video in time.

    The window W(t) is {t - r, ..., t + r}, or {t - r, ..., t} for `trailing_*`, truncated at the ends of the video. The
    result at frame t is the mean or the median of the outputs in W(t), for each column separately. `exponential` gives
    ``sum(d^k o(t - k)) / sum(d^k)`` over k from 0 to t, with ``d = r / (r + 2)``.

    Parameters
    ----------
    outputs : array-like of float, shape (frames, columns)
        One row for each frame, without gaps; see `fill_gaps`.
    kernel : {"none", "mean", "median", "trailing_mean", "trailing_median", "exponential"}
        `none` returns the outputs unchanged; `trailing_mean`, `trailing_median` and `exponential` use no later frames.
    radius : int
        r, in frames, from 0 to 250; 0 leaves the outputs unchanged.

    Returns
    -------
    ndarray of float64, shape (frames, columns)

    Raises
    ------
    InputError
        If the kernel is unknown, the radius is out of range, or the outputs are not two-dimensional or not finite.

    References
    ----------
    Savchenko (2022), Frame-level Prediction of Facial Expressions, Valence, Arousal and Action Units for Mobile
    Devices, arXiv:2203.13436.

    Examples
    --------
    >>> from harness.smoothing import smooth
    >>> smooth([[0.0], [3.0], [0.0], [0.0]], "mean", 1).ravel()
    array([1.5, 1. , 1. , 0. ])
    >>> smooth([[0.0], [3.0], [0.0], [0.0]], "trailing_mean", 1).ravel()
    array([0. , 1.5, 1.5, 0. ])
    """
    _, smoothed = next(smooth_many_radii([outputs], kernel, [radius]))
    return smoothed


def smooth_many_radii(
    videos: Iterable[ArrayLike], kernel: str, radii: Iterable[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """Smooth the outputs of several videos at ascending radii; for means, much faster than one radius at a time.

    Parameters
    ----------
    videos : iterable of array-like of float, shape (T, C)
        Outputs without gaps, converted to float64. All videos have the same C.
    kernel : str
        See `smooth`.
    radii : iterable of int
        Ascending, from 0 to 250.

    Returns
    -------
    iterator of (int, ndarray of float64, shape (sum of T, C))
        Radius and smoothed outputs, with rows in the order of ``np.concatenate(videos)``. Each array is new and in
        Fortran order.

    Raises
    ------
    InputError
        If the kernel is unknown, radii are out of range or do not ascend, there are no videos, videos have different
        widths, or values are NaN or infinite. The error is raised before any work.

    Examples
    --------
    >>> curve = smooth_many_radii([[[0.0], [3.0], [0.0]]], "mean", [0, 1])
    >>> [(radius, smoothed.ravel().tolist()) for radius, smoothed in curve]
    [(0, [0.0, 3.0, 0.0]), (1, [1.5, 1.0, 1.5])]
    """
    if kernel not in KERNELS:
        raise unknown_name_error("kernel", kernel, KERNELS)
    columns = [
        np.ascontiguousarray(validate_matrix(video, f"outputs of video {i}").T) for i, video in enumerate(videos)
    ]
    if not columns:
        raise InputError("no video to smooth; give at least one")
    if len({len(video) for video in columns}) > 1:
        widths = sorted({len(video) for video in columns})
        raise InputError(f"videos differ in width: they have {widths} columns; give outputs of one task")
    valid_radii = _validate_radii(radii)
    return ((radius, smoothed.T) for radius, smoothed in zip(valid_radii, KERNELS[kernel](columns, valid_radii)))


def _no_smoothing(videos: list[np.ndarray], radii: list[int]) -> Iterator[np.ndarray]:
    for _ in radii:
        yield np.concatenate(videos, axis=1)


def _window_mean(videos: list[np.ndarray], radii: list[int], centered: bool) -> Iterator[np.ndarray]:
    """Compute means of centered or trailing windows.

    The window sums of one radius are extended to the sums of the next. A row of ones is added; its sums are the sizes
    of the windows.
    """
    with_ones = [np.vstack([video, np.ones(video.shape[1])]) for video in videos]
    sums, summed_radius = [video.copy() for video in with_ones], 0
    for radius in radii:
        for video, total in zip(with_ones, sums):
            for r in range(summed_radius + 1, min(radius, video.shape[1] - 1) + 1):
                if centered:
                    total[:, :-r] += video[:, r:]
                total[:, r:] += video[:, :-r]
        summed_radius = radius
        smoothed, parts = _allocate_output(videos)
        for total, part in zip(sums, parts):
            np.divide(total[:-1], total[-1], out=part)
        yield smoothed


def _filter_each(
    filter_video: Callable[[np.ndarray, int], np.ndarray], videos: list[np.ndarray], radii: list[int]
) -> Iterator[np.ndarray]:
    """Filter each video with each radius; `filter_video` filters one video [C, T] with one radius."""
    for radius in radii:
        smoothed, parts = _allocate_output(videos)
        for video, part in zip(videos, parts):
            part[...] = filter_video(video, radius)
        yield smoothed


def _moving_median(video: np.ndarray, radius: int) -> np.ndarray:
    length = video.shape[1]
    r = min(radius, length - 1)  # a wider window covers the same frames
    if r < 1:
        return video
    padded = np.full((len(video), length + r), np.nan)  # move_median ignores NaN, which truncates windows at the end
    padded[:, :length] = video
    return bottleneck.move_median(padded, 2 * r + 1, min_count=1, axis=1)[:, r:]


def _trailing_median(video: np.ndarray, radius: int) -> np.ndarray:
    window = min(radius + 1, video.shape[1])
    return bottleneck.move_median(video, window, min_count=1, axis=1) if window else video


def _exponential(video: np.ndarray, radius: int) -> np.ndarray:
    """Compute the exponentially weighted mean of all frames so far."""
    if not video.shape[1]:
        return video
    from scipy.signal import lfilter

    with_ones = np.vstack([video, np.ones(video.shape[1])])
    sums = lfilter([1.0], [1.0, -decay(radius)], with_ones, axis=1)
    return sums[:-1] / sums[-1]


def decay(radius: int) -> float:
    """Return ``radius / (radius + 2)``, the weight of a frame relative to that of the next frame in `exponential`.

    The mean age of the weighted frames is then ``radius / 2`` frames.

    Examples
    --------
    >>> decay(2)
    0.5
    """
    return radius / (radius + 2)


def mean_lag(kernel: str, radius: int) -> float:
    """Return the number of frames by which a filter lags behind on average.

    A steadily rising output is delayed by this much: half the radius for causal kernels, 0 for the others.

    Examples
    --------
    >>> mean_lag("trailing_mean", 10), mean_lag("mean", 10)
    (5.0, 0.0)
    """
    return radius / 2 if kernel in CAUSAL else 0.0


def required_lookahead(kernel: str, radius: int) -> int:
    """Return the number of later frames that a filter needs; a live display would be delayed by as many frames.

    Examples
    --------
    >>> required_lookahead("trailing_mean", 10), required_lookahead("mean", 10)
    (0, 10)
    """
    return 0 if kernel in CAUSAL or kernel == "none" else radius


KERNELS: dict[str, Kernel] = {
    "none": _no_smoothing,
    "mean": partial(_window_mean, centered=True),
    "median": partial(_filter_each, _moving_median),
    "trailing_mean": partial(_window_mean, centered=False),
    "trailing_median": partial(_filter_each, _trailing_median),
    "exponential": partial(_filter_each, _exponential),
}
"""Kernels by name."""


def _allocate_output(videos: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """Allocate an array [C, sum of T] and return it with its views [C, T], one for each video."""
    ends = np.cumsum([video.shape[1] for video in videos])
    output = np.empty((len(videos[0]), ends[-1]))
    return output, np.split(output, ends[:-1], axis=1)


def validate_matrix(values: ArrayLike, what: str) -> np.ndarray:
    """Convert values to float64 [frames, columns].

    Raises
    ------
    InputError
        If the values do not have two dimensions, or contain NaN or infinity. The message calls the values `what`.
    """
    matrix = np.asarray(values, dtype=np.float64)
    if matrix.ndim != 2:
        raise InputError(f"{what} have shape {list(matrix.shape)}; expected [frames, columns]")
    bad = ~np.isfinite(matrix).all(axis=1)
    if bad.any():
        raise InputError(f"{what} contain NaN or infinity, first in row {np.flatnonzero(bad)[0]}")
    return matrix


def _validate_radii(radii: Sequence[int] | Iterable[int]) -> list[int]:
    try:
        integers = [operator.index(radius) for radius in radii]
    except TypeError:
        raise InputError("a radius must be an integer number of frames") from None
    if not all(0 <= radius <= MAX_RADIUS for radius in integers):
        raise InputError(f"a radius must be from 0 to {MAX_RADIUS} frames; got {integers}")
    if any(after <= before for before, after in zip(integers, integers[1:])):
        raise InputError(f"radii must ascend; got {integers}")
    return integers


@dataclass(frozen=True)
class SmoothingParams:
    """Selected filter and decision thresholds of a run.

    Attributes
    ----------
    kernel : str
        Smoothing kernel; see `smooth`.
    radius : int
        Radius in frames.
    gaps : str
        Method of `harness.smoothing.gaps.fill_gaps`.
    thresholds : tuple of 12 float, optional
        Decision thresholds of the action units; None if all are 0.5.
    """

    kernel: str
    radius: int
    gaps: str
    thresholds: tuple[float, ...] | None = None
