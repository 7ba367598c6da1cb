"""The grid of filters among which the selection split chooses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from harness.smoothing.gaps import GAPS
from harness.smoothing.kernels import KERNELS, MAX_RADIUS
from harness.utils.errors import unknown_name_error
from harness.utils.validation import require

DEFAULT_KERNELS = ("mean", "median")
"""Those a recipe chooses among when it names none."""
CANDIDATES = tuple(kernel for kernel in KERNELS if kernel != "none")
"""Those it may name."""


@dataclass(frozen=True)
class SmoothingGrid:
    """Filters among which the selection split chooses: every radius of a range, for each kernel.

    Parameters
    ----------
    kernels : tuple of str
        `mean` and `median`, or the causal `trailing_mean`, `trailing_median` and `exponential`; see `smooth`.
    smallest, largest : int from 0 to 250
        Radii in frames on each side; radius 0 is the unsmoothed output.
    gaps : {"linear", "nearest", "published", "held"}
        How frames without a crop get outputs before the filter runs; see `fill_gaps`.

    Raises
    ------
    InputError
        For an unknown kernel or way to fill gaps, and for radii out of range.

    Examples
    --------
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
            f"smoothing radii {self.smallest} to {self.largest}: radii are between 0 and {MAX_RADIUS}, smallest first",
        )
        if self.gaps not in GAPS:
            raise unknown_name_error("gaps", self.gaps, GAPS)

    def radii(self) -> range:
        return range(self.smallest, self.largest + 1)
