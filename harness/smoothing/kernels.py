"""Outputs of one video made dense and smoothed in time.

T: frames of a video; C: output columns. A window has radius r, that is frames t-r to t+r, cut at the video's ends
(it shrinks; nothing is padded). Each column is smoothed for itself, before argmax or thresholds (Savchenko 2022).

The kernels of CAUSAL know no later frame. A trailing window is frames t-r to t, cut at the start; `exponential` weighs
a frame 2/(r+2) and all before it the rest, from the first frame on without a bias towards it. All three lag r/2 frames
behind in the mean, so that one radius smooths alike in each.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import bottleneck
import numpy as np

from harness.utils.errors import InputError, unknown_name_error

MAX_RADIUS = 250
CAUSAL = ("trailing_mean", "trailing_median", "exponential")
"""Kernels that a camera can be read with."""

Kernel = Callable[[list[np.ndarray], list[int]], Iterator[np.ndarray]]
"""Videos as contiguous float64 [C, T], ascending radii -> for each radius a fresh [C, sum of T]."""


def smooth(outputs: np.ndarray, kernel: str, radius: int) -> np.ndarray:
    """Smooth the outputs of one video in time, each column by itself.

    Parameters
    ----------
    outputs : array-like of shape (frames, columns)
        One row for each frame, without gaps; see `fill_gaps`.
    kernel : {"none", "mean", "median", "trailing_mean", "trailing_median", "exponential"}
        The last three read no later frame.
    radius : int from 0 to 250
        In frames. `mean` and `median` read `radius` frames on each side, the trailing ones `radius` earlier frames.
        Windows shrink at the ends of the video.

    Returns
    -------
    float64 array of shape (frames, columns)

    Raises
    ------
    InputError
        For an unknown kernel, a radius out of range, NaN or infinity.

    Examples
    --------
    >>> smooth([[0.0], [3.0], [0.0], [0.0]], "mean", 1).ravel()
    array([1.5, 1. , 1. , 0. ])
    """
    _, smoothed = next(smooth_many_radii([outputs], kernel, [radius]))
    return smoothed


def smooth_many_radii(
    videos: Iterable[np.ndarray], kernel: str, radii: Iterable[int]
) -> Iterator[tuple[int, np.ndarray]]:
    """(radius, smoothed) for ascending radii, much faster together than one by one.

    videos: dense arrays [T_v, C], any float type, accumulated in float64. smoothed: float64 [sum of T_v, C], rows as
    in np.concatenate(videos); a fresh array each time, so it may be kept, stored column by column (Fortran order).
    """
    if kernel not in KERNELS:
        raise unknown_name_error("kernel", kernel, KERNELS)
    columns = [
        np.ascontiguousarray(validate_matrix(video, f"outputs of video {i}").T) for i, video in enumerate(videos)
    ]
    if not columns:
        raise InputError("no video to smooth")
    if len({len(video) for video in columns}) > 1:
        raise InputError(f"videos differ in width: {sorted({len(video) for video in columns})} columns")
    checked = _validate_radii(radii)
    return ((radius, smoothed.T) for radius, smoothed in zip(checked, KERNELS[kernel](columns, checked)))


def _no_smoothing(videos: list[np.ndarray], radii: list[int]) -> Iterator[np.ndarray]:
    for _ in radii:
        yield np.concatenate(videos, axis=1)


def _window_mean(videos: list[np.ndarray], radii: list[int], ahead: bool) -> Iterator[np.ndarray]:
    """Window sums grow by one frame at each end from radius to radius; a row of ones sums to the window's size.

    ahead: the window reaches as far into the future as into the past.
    """
    counted = [np.vstack([video, np.ones(video.shape[1])]) for video in videos]
    sums, reached = [video.copy() for video in counted], 0
    for radius in radii:
        for video, total in zip(counted, sums):
            for r in range(reached + 1, min(radius, video.shape[1] - 1) + 1):
                if ahead:
                    total[:, :-r] += video[:, r:]
                total[:, r:] += video[:, :-r]
        reached = radius
        smoothed, parts = _allocate_output(videos)
        for total, part in zip(sums, parts):
            np.divide(total[:-1], total[-1], out=part)
        yield smoothed


def _filter_each(
    moving: Callable[[np.ndarray, int], np.ndarray], videos: list[np.ndarray], radii: list[int]
) -> Iterator[np.ndarray]:
    """A filter of one video [C, T] at one radius, of each video at each radius."""
    for radius in radii:
        smoothed, parts = _allocate_output(videos)
        for video, part in zip(videos, parts):
            part[...] = moving(video, radius)
        yield smoothed


def _moving_median(video: np.ndarray, radius: int) -> np.ndarray:
    length = video.shape[1]
    r = min(radius, length - 1)  # a wider window sees the same frames
    if r < 1:
        return video
    padded = np.full((len(video), length + r), np.nan)  # the trailing window skips NaN, so it shrinks at the ends
    padded[:, :length] = video
    return bottleneck.move_median(padded, 2 * r + 1, min_count=1, axis=1)[:, r:]


def _trailing_median(video: np.ndarray, radius: int) -> np.ndarray:
    window = min(radius + 1, video.shape[1])
    return bottleneck.move_median(video, window, min_count=1, axis=1) if window else video


def _exponential(video: np.ndarray, radius: int) -> np.ndarray:
    """The sum of all frames so far, each weighed less by `decay` for every frame since, over the sum of the weights."""
    if not video.shape[1]:
        return video
    from scipy.signal import lfilter

    counted = np.vstack([video, np.ones(video.shape[1])])
    sums = lfilter([1.0], [1.0, -decay(radius)], counted, axis=1)
    return sums[:-1] / sums[-1]


def decay(radius: int) -> float:
    """What `exponential` keeps of a weight from one frame to the next: a mean age of r/2 frames."""
    return radius / (radius + 2)


def mean_lag(kernel: str, radius: int) -> float:
    """Frames by which the filter lags behind in the mean: a steady rise comes out so much later."""
    return radius / 2 if kernel in CAUSAL else 0.0


def required_lookahead(kernel: str, radius: int) -> int:
    """Later frames that the filter needs before it can tell of one: how long a camera's picture would have to wait."""
    return 0 if kernel in CAUSAL or kernel == "none" else radius


KERNELS: dict[str, Kernel] = {
    "none": _no_smoothing,
    "mean": partial(_window_mean, ahead=True),
    "median": partial(_filter_each, _moving_median),
    "trailing_mean": partial(_window_mean, ahead=False),
    "trailing_median": partial(_filter_each, _trailing_median),
    "exponential": partial(_filter_each, _exponential),
}


def _allocate_output(videos: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """A fresh [C, sum of T] and its views [C, T_v], one for each video."""
    ends = np.cumsum([video.shape[1] for video in videos])
    whole = np.empty((len(videos[0]), ends[-1]))
    return whole, np.split(whole, ends[:-1], axis=1)


def validate_matrix(values: np.ndarray, what: str) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise InputError(f"{what} have shape {list(values.shape)}; expected [frames, columns]")
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        raise InputError(f"{what} hold NaN or infinity, first in row {np.flatnonzero(bad)[0]}")
    return values


def _validate_radii(radii: Sequence[int] | Iterable[int]) -> list[int]:
    try:
        checked = [operator.index(radius) for radius in radii]
    except TypeError:
        raise InputError("a radius is a whole number of frames each side") from None
    if not all(0 <= radius <= MAX_RADIUS for radius in checked):
        raise InputError(f"a radius lies in 0 to {MAX_RADIUS} frames each side; got {checked}")
    if any(after <= before for before, after in zip(checked, checked[1:])):
        raise InputError(f"radii must ascend; got {checked}")
    return checked


@dataclass(frozen=True)
class SmoothingParams:
    """What a run chose to do with outputs; thresholds: of the action units, None where 0.5 was kept."""

    kernel: str
    radius: int
    gaps: str
    thresholds: tuple[float, ...] | None = None
