"""Track of one face, and the times of frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

SPEED_DECAY = 0.9
"""Factor by which the speed of an undetected face decreases from frame to frame."""
MAX_EXTRAPOLATED_SECONDS = 1.0
"""After a longer time the speed of a face says nothing about its position."""


class FrameTime(NamedTuple):
    """When a frame is shown.

    Attributes
    ----------
    seconds : float
        Time since the start of the video; NaN to compute it from the frame number and the rate.
    duration : float
        Seconds until the next frame of the video; NaN if it is not known, for one frame interval.
    """

    seconds: float = math.nan
    duration: float = math.nan


@dataclass
class Track:
    """Track of one face.

    `frame`, `seconds` and `end` are the frame of the last detection, its time and the time at which it was replaced;
    `shown` is for how many seconds frames with the face were shown.
    """

    number: int
    frame: int
    seconds: float
    end: float
    box: np.ndarray
    appearance: np.ndarray | None
    hint: int
    shown: float
    hits: int = 1
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def expected(self, frame: int, elapsed: float = 0.0) -> np.ndarray:
        """Extrapolate the box to a frame, with decreasing speed; after more than a second it says nothing."""
        steps = frame - self.frame
        moved = self.box.copy()
        if elapsed > MAX_EXTRAPOLATED_SECONDS:
            return moved
        moved[:2] += self.speed * (1 - SPEED_DECAY**steps) / (1 - SPEED_DECAY)
        return moved
