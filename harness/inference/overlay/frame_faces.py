"""Outputs to display for each face in each frame of a video."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.result import Outputs, PredictionResult
from harness.video.frames import DEFAULT_RATE

TRAIL = 1.5
"""Length in seconds of the displayed trail of valence and arousal."""


@dataclass(frozen=True, eq=False)
class FaceOverlay:
    """One face in one frame; outputs that no run provides, or that are missing in this frame, are None.

    Attributes
    ----------
    face : int
        Number of the face.
    box : tuple of float
        x, y, width and height in pixels.
    found : bool
        Whether the face was detected in this frame.
    expression : ndarray of shape (8,) or None
        Probabilities.
    trail : ndarray of shape (K, 2) or None
        Valence and arousal in the last K frames that have them, the current frame last.
    units : ndarray of shape (12,) or None
        Whether each action unit is active.
    """

    face: int
    box: tuple[float, float, float, float]
    found: bool
    expression: np.ndarray | None = None
    trail: np.ndarray | None = None
    units: np.ndarray | None = None

    @property
    def known(self) -> bool:
        """Whether any output is available."""
        return self.expression is not None or self.trail is not None or self.units is not None


class FacesByFrame:
    """The faces of a result by frame number.

    If several runs provide the same output, the output of the first run is displayed. Without a frame rate and without
    smoothing, frames count as separate images: the trail has only the current point.

    Parameters
    ----------
    result : PredictionResult
    """

    def __init__(self, result: PredictionResult) -> None:
        self.result = result
        self.blocks = {name: _block(result.outputs, name) for name in ("expr", "va", "au")}
        consecutive = result.rate is not None or any(outputs.kernel != "none" for outputs in result.outputs)
        self.trail_frames = max(1, round(TRAIL * (result.rate or DEFAULT_RATE))) if consecutive else 1
        self.order = np.lexsort((result.frame, result.face))
        self.rank = np.empty_like(self.order)
        self.rank[self.order] = np.arange(len(self.order))

    def __getitem__(self, number: int) -> list[FaceOverlay]:
        """Get the faces of a frame in order of their numbers; empty for a frame that was not processed."""
        rows = range(*np.searchsorted(self.result.frame, (number, number + 1)))
        return [self._face(row) for row in rows]

    def _face(self, row: int) -> FaceOverlay:
        result = self.result
        values = {
            name: None if block is None or np.isnan(block[row]).any() else block[row]
            for name, block in self.blocks.items()
        }
        x, y, width, height = map(float, result.boxes[row])
        return FaceOverlay(
            int(result.face[row]),
            (x, y, width, height),
            bool(result.found[row]),
            values["expr"],
            None if values["va"] is None else self._trail(row),
            None if values["au"] is None else values["au"] > 0,
        )

    def _trail(self, row: int) -> np.ndarray:
        """Get valence and arousal of a face in the last frames up to this row, without missing values."""
        rank = self.rank[row]
        rows = self.order[max(0, rank - self.trail_frames) : rank + 1]
        near = (self.result.face[rows] == self.result.face[row]) & (
            self.result.frame[rows] > self.result.frame[row] - self.trail_frames
        )
        block = self.blocks["va"]
        assert block is not None
        values = block[rows[near]]
        return values[~np.isnan(values).any(axis=1)]


def first_with_output(outputs: Sequence[Outputs], name: str) -> Outputs | None:
    """Find the first run that provides an output; None if there is none."""
    return next((run for run in outputs if name in run.task.slices()), None)


def _block(outputs: Sequence[Outputs], name: str) -> np.ndarray | None:
    """Get the values [N, columns] of an output; action units are thresholded to 0 and 1."""
    run = first_with_output(outputs, name)
    if run is None:
        return None
    values = run.smoothed[:, run.task.slices()[name]]
    if name != "au":
        return values
    present = values >= (0.5 if run.thresholds is None else np.array(run.thresholds))
    return np.where(np.isnan(values), np.nan, present)
