"""Select the filter for a run's outputs: as the run selected it, causal for real time, or as the user names it."""

from __future__ import annotations

import dataclasses

from harness.inference.forward import LoadedRun
from harness.smoothing.kernels import CAUSAL, KERNELS, MAX_RADIUS, SmoothingParams
from harness.utils.errors import InputError, unknown_name_error

LIVE_KERNEL = "exponential"
"""Kernel for real time, with the radius of the run's filter. It is used unless `framelight leaderboard --causal` has
selected a filter for the run."""


def check_smoothing(kernel: str | None, radius: int | None, live: bool) -> None:
    """Raise InputError for an invalid kernel or radius, and for a kernel with look-ahead in a live video."""
    if kernel is not None and kernel not in KERNELS:
        raise unknown_name_error("kernel", kernel, KERNELS)
    if radius is not None and not 0 <= radius <= MAX_RADIUS:
        raise InputError(f"--radius {radius}: the radius must be from 0 to {MAX_RADIUS} frames")
    if kernel == "none" and radius:
        raise InputError(f"--kernel none does not smooth, so --radius {radius} has no effect; leave one of them out")
    if live and kernel not in (None, "none", *CAUSAL):
        raise InputError(
            f"--kernel {kernel} needs future frames, which a live video does not have; use {', '.join(CAUSAL)} or none"
        )


def smoothing_of(
    reader: LoadedRun, live: bool, kernel: str | None = None, radius: int | None = None, is_video: bool = True
) -> SmoothingParams:
    """Get the smoothing of one run; separate images are not smoothed.

    Parameters
    ----------
    reader : LoadedRun
    live : bool
        Use causal smoothing.
    kernel : str, optional
        Replaces the run's kernel.
    radius : int, optional
        Replaces the run's radius.
    is_video : bool
        Whether the input is a video.

    Raises
    ------
    InputError
        If only one of kernel and radius is passed, and the run has no value for the other. Also if one of them would
        smooth separate images.
    """
    base = reader.filter
    if not is_video:
        if kernel not in (None, "none") or radius:
            raise InputError("separate images are not smoothed; leave out --kernel and --radius")
        return dataclasses.replace(base, kernel="none", radius=0)
    if live:
        fallback = dataclasses.replace(base, kernel=LIVE_KERNEL if base.radius else "none")
        base = dataclasses.replace(reader.causal or fallback, gaps="held")
    params = dataclasses.replace(base, kernel=kernel or base.kernel, radius=base.radius if radius is None else radius)
    if params.kernel == "none":
        if radius:
            raise InputError(f"run {reader.name} is not smoothed, so --radius needs a --kernel")
        return dataclasses.replace(params, radius=0)
    if kernel is not None and radius is None and not params.radius:
        raise InputError(f"run {reader.name} has no smoothing radius, so --kernel {kernel} needs a --radius")
    return params
