"""What a job of so many frames took, and how that grows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

MEMORY_GIB = 3.0
"""The most that may be resident."""


@dataclass(frozen=True)
class Scaled:
    """Medians over rounds of the seconds of each part, and the highest peak of resident memory, of so many frames."""

    frames: int
    seconds: Mapping[str, float]
    peak_bytes: int

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def exponent(measured: Sequence[Scaled]) -> float:
    """Least-squares slope of log time over log frames."""
    frames, seconds = [math.log(one.frames) for one in measured], [math.log(one.total) for one in measured]
    return float(np.polyfit(frames, seconds, 1)[0])
