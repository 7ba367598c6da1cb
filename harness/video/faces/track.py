"""Track of one face, and the times of frames."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

SPEED_DECAY = 0.9
"""Factor by which the speed of an undetected face decreases from frame to frame."""
MAX_EXTRAPOLATED_SECONDS = 1.0
"""Number of seconds since the last detection after which a position is not extrapolated from the speed."""


class FrameTime(NamedTuple):
    """When a frame is shown.

    Attributes
    ----------
    seconds : float
        Time since the start of the video; NaN to compute it from the frame number and the rate.
    duration : float
        Seconds until the next frame of the video; NaN if unknown, which counts as one frame interval.
    """

    seconds: float = math.nan
    duration: float = math.nan


@dataclass
class Track:
    """Track of one face.

    `number` is the id, `hits` the number of detections and `speed` the movement in pixels per frame. `frame` is the
    number of the frame with the last detection, which was shown from `seconds` until `end`. `shown` is the total time
    of the frames with the face, in seconds.
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
        """Extrapolate the box to a frame at decreasing speed, or return it unmoved after `MAX_EXTRAPOLATED_SECONDS`."""
        steps = frame - self.frame
        moved = self.box.copy()
        if elapsed > MAX_EXTRAPOLATED_SECONDS:
            return moved
        moved[:2] += self.speed * (1 - SPEED_DECAY**steps) / (1 - SPEED_DECAY)
        return moved
