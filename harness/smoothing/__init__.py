"""Filters over the outputs of neighboring frames, as functions on numpy arrays."""

from harness.smoothing.gaps import fill_gaps
from harness.smoothing.kernels import smooth

__all__ = ["fill_gaps", "smooth"]
