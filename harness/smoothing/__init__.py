"""Filters over the outputs of neighboring frames, as functions on numpy arrays."""

import warnings
from typing import Any

from harness.smoothing.gaps import GAPS, fill_gaps
from harness.smoothing.kernels import (
    CAUSAL,
    KERNELS,
    MAX_RADIUS,
    mean_lag,
    required_lookahead,
    smooth,
    smooth_many_radii,
)

__all__ = [
    "CAUSAL",
    "GAPS",
    "KERNELS",
    "MAX_RADIUS",
    "fill_gaps",
    "mean_lag",
    "required_lookahead",
    "smooth",
    "smooth_many_radii",
]

_RENAMED = {"curve": "smooth_many_radii", "delay": "mean_lag", "look_ahead": "required_lookahead"}


def __getattr__(name: str) -> Any:
    if name in _RENAMED:
        warnings.warn(
            f"harness.smoothing.{name} is deprecated and will be removed in the next version; "
            f"it is now {_RENAMED[name]}",
            DeprecationWarning,
            stacklevel=2,
        )
        return globals()[_RENAMED[name]]
    raise AttributeError(f"module 'harness.smoothing' has no attribute '{name}'")
