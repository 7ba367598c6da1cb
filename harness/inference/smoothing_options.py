"""Which filter a run's outputs pass through: its own, that for real time, or another that the user names."""

from __future__ import annotations

import dataclasses

from harness.inference.forward import LoadedRun
from harness.smoothing.kernels import CAUSAL, KERNELS, MAX_RADIUS, SmoothingParams
from harness.utils.errors import InputError, unknown_name_error

LIVE_KERNEL = "exponential"
"""For real time, where `framelight leaderboard --causal` has chosen nothing for a run; with the run's own radius."""


def check_smoothing(kernel: str | None, radius: int | None, live: bool) -> None:
    """InputError for a kernel or radius that there is not, and for a kernel that a live video cannot have."""
    if kernel is not None and kernel not in KERNELS:
        raise unknown_name_error("kernel", kernel, KERNELS)
    if radius is not None and not 0 <= radius <= MAX_RADIUS:
        raise InputError(f"--radius {radius}: a radius lies in 0 to {MAX_RADIUS} frames")
    if kernel == "none" and radius:
        raise InputError(f"--kernel none smooths nothing and has no --radius {radius}; leave one of them out")
    if live and kernel not in (None, "none", *CAUSAL):
        raise InputError(
            f"--kernel {kernel} reads frames that a live video does not have yet; take {', '.join(CAUSAL)} or none"
        )


def smoothing_of(
    reader: LoadedRun, live: bool, kernel: str | None = None, radius: int | None = None, film: bool = True
) -> SmoothingParams:
    """The filter of one run; kernel and radius replace its own. Pictures that are not of one film are not filtered.

    InputError where only one of the two is given and the run has no other, and for a filter of such pictures.
    """
    base = reader.filter
    if not film:
        if kernel not in (None, "none") or radius:
            raise InputError("pictures that are not of one film are not smoothed; leave out --kernel and --radius")
        return dataclasses.replace(base, kernel="none", radius=0)
    if live:
        own = dataclasses.replace(base, kernel=LIVE_KERNEL if base.radius else "none")
        base = dataclasses.replace(reader.causal or own, gaps="held")
    found = dataclasses.replace(base, kernel=kernel or base.kernel, radius=base.radius if radius is None else radius)
    if found.kernel == "none":
        if radius:
            raise InputError(f"run {reader.name} smooths nothing, so --radius needs a --kernel")
        return dataclasses.replace(found, radius=0)
    if kernel is not None and radius is None and not found.radius:
        raise InputError(f"run {reader.name} has no radius of its own, so --kernel {kernel} needs a --radius")
    return found
