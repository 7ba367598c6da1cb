"""Grid of smoothing filters; the filter with the best score on the selection split is used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import KERNELS, MAX_RADIUS
from harness.utils.errors import unknown_name_error
from harness.utils.validation import require

DEFAULT_KERNELS = ("mean", "median")
"""Kernels that are tried if a recipe names none."""
CANDIDATES = tuple(kernel for kernel in KERNELS if kernel != "none")
"""Kernels that a recipe may name."""


@dataclass(frozen=True)
class SmoothingGrid:
    """Grid of smoothing filters to choose from: every radius of a range, for each kernel.

    Parameters
    ----------
    kernels : tuple of str, default=("mean", "median")
        `mean` and `median`, or the causal `trailing_mean`, `trailing_median` and `exponential`; see `smooth`.
    smallest, largest : int, default=0 and 50
        Range of radii, in frames, between 0 and 250. Radius 0 is the unsmoothed output.
    gaps : {"linear", "nearest", "published", "held"}, default="linear"
        How the outputs of frames without a crop are filled in before smoothing; see `fill_gaps`.

    Raises
    ------
    InputError
        If there is no kernel, a kernel or the gap-filling method is unknown, or a radius is out of range.

    Examples
    --------
    >>> from harness import SmoothingGrid
    >>> SmoothingGrid(kernels=("mean",), largest=3).radii()
    range(0, 4)
    """

    hash_tag: ClassVar[str] = "Smoothing"
    kernels: tuple[str, ...] = DEFAULT_KERNELS
    smallest: int = 0
    largest: int = 50
    gaps: str = "linear"

    def __post_init__(self) -> None:
        for kernel in self.kernels:
            if kernel not in CANDIDATES:
                raise unknown_name_error("kernel", kernel, CANDIDATES)
        require(len(self.kernels) > 0, f"smoothing.kernels is empty; name some of {', '.join(CANDIDATES)}")
        require(
            0 <= self.smallest <= self.largest <= MAX_RADIUS,
            f"smoothing radii {self.smallest} to {self.largest}: radii must be from 0 to {MAX_RADIUS}, smallest first",
        )
        if self.gaps not in GAPS:
            raise unknown_name_error("gaps", self.gaps, GAPS)

    def radii(self) -> range:
        """Return the radii in ascending order."""
        return range(self.smallest, self.largest + 1)
