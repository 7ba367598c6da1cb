"""What is shown of each face in each frame of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.result import Outputs, PredictionResult
from harness.video.frames import DEFAULT_RATE

TRAIL = 1.5
"""Seconds of valence and arousal that are shown."""


@dataclass(frozen=True, eq=False)
class FaceOverlay:
    """One face in one frame; an output that no run gives, or that is not known in this frame, is None.

    box: x, y, width and height in pixels; found: whether it was seen in this very frame; expression: [8]
    probabilities; trail: [K, 2] valence and arousal of the last moments, the present one last; units: bool [12].
    """

    face: int
    box: tuple[float, float, float, float]
    found: bool
    expression: np.ndarray | None = None
    trail: np.ndarray | None = None
    units: np.ndarray | None = None

    @property
    def known(self) -> bool:
        """Whether there is anything to say of it."""
        return self.expression is not None or self.trail is not None or self.units is not None


class FacesByFrame:
    """The faces of a reading, looked up by frame number; of runs that give the same output the first is shown.

    Pictures without time that were not smoothed have nothing to do with each other, and so no trail.
    """

    def __init__(self, reading: PredictionResult) -> None:
        self.reading = reading
        self.held = {name: _block(reading.outputs, name) for name in ("expr", "va", "au")}
        in_a_row = reading.rate is not None or any(one.kernel != "none" for one in reading.outputs)
        self.reach = max(1, round(TRAIL * (reading.rate or DEFAULT_RATE))) if in_a_row else 1
        self.order = np.lexsort((reading.frame, reading.face))
        self.place = np.empty_like(self.order)
        self.place[self.order] = np.arange(len(self.order))

    def __getitem__(self, number: int) -> list[FaceOverlay]:
        """The faces of that frame by their ids; none for a frame that was not read."""
        rows = range(*np.searchsorted(self.reading.frame, (number, number + 1)))
        return [self._face(row) for row in rows]

    def _face(self, row: int) -> FaceOverlay:
        reading = self.reading
        now = {
            name: None if values is None or np.isnan(values[row]).any() else values[row]
            for name, values in self.held.items()
        }
        x, y, width, height = map(float, reading.boxes[row])
        return FaceOverlay(
            int(reading.face[row]),
            (x, y, width, height),
            bool(reading.found[row]),
            now["expr"],
            None if now["va"] is None else self._trail(row),
            None if now["au"] is None else now["au"] > 0,
        )

    def _trail(self, row: int) -> np.ndarray:
        """[K, 2] of this face up to this row, without what is not known."""
        place = self.place[row]
        rows = self.order[max(0, place - self.reach) : place + 1]
        near = (self.reading.face[rows] == self.reading.face[row]) & (
            self.reading.frame[rows] > self.reading.frame[row] - self.reach
        )
        values = self.held["va"][rows[near]]
        return values[~np.isnan(values).any(axis=1)]


def first_with_output(outputs: Sequence[Outputs], name: str) -> Outputs | None:
    """The first run that gives that output."""
    return next((one for one in outputs if name in one.task.slices()), None)


def _block(outputs: Sequence[Outputs], name: str) -> np.ndarray | None:
    """[N, columns] of the first run that gives that output; action units as 0 and 1 by its thresholds."""
    one = first_with_output(outputs, name)
    if one is None:
        return None
    values = one.smoothed[:, one.task.slices()[name]]
    if name != "au":
        return values
    present = values >= (0.5 if one.thresholds is None else np.array(one.thresholds))
    return np.where(np.isnan(values), np.nan, present)
