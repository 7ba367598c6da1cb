"""Smooth the outputs of each face of a live video frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from harness.inference.face_stage import FrameFaces
from harness.smoothing.kernels import SmoothingParams
from harness.smoothing.streaming import StreamingFilter
from harness.video.faces.tracker import PATIENCE_FRAMES, PATIENCE_SECONDS

RESET = 2
"""The filters of a face are reset if more frames are dropped at once than RESET times the patience of the tracker. The
patience is the time after which the tracker gives up a lost face."""


@dataclass(frozen=True, eq=False)
class LiveRow:
    """One face of one frame.

    Attributes
    ----------
    frame : int
    id : int
        Track id of the face.
    found : bool
        Whether the face was found in this frame.
    box : ndarray of shape (4,)
        float32, where the face was last found.
    score : float
    raw : tuple of ndarray of shape (C,) or None
        Outputs of each run, None if the face was not found.
    smoothed : tuple of ndarray of shape (C,)
        float64 outputs of each run.
    """

    frame: int
    id: int
    found: bool
    box: np.ndarray
    score: float
    raw: tuple[np.ndarray, ...] | None
    smoothed: tuple[np.ndarray, ...]


@dataclass(eq=False)
class _Face:
    filters: tuple[StreamingFilter, ...]
    fed: int
    seen: int
    box: np.ndarray


class LiveSmoother:
    """Filters of all faces.

    Parameters
    ----------
    filters : sequence of SmoothingParams
        One for each run.
    rate : float
        Frames per second.
    """

    def __init__(self, filters: Sequence[SmoothingParams], rate: float) -> None:
        self.filters, self.patience = filters, max(PATIENCE_SECONDS * rate, PATIENCE_FRAMES)
        self.faces: dict[int, _Face] = {}

    def __call__(self, seen: FrameFaces, outputs: Sequence[np.ndarray]) -> list[LiveRow]:
        """Compute the rows of a frame, including rows of faces that were found shortly before.

        For the filters, a dropped frame is a frame without the face. This keeps the lag in seconds constant.

        Parameters
        ----------
        seen : FrameFaces
            K faces.
        outputs : sequence of ndarray of shape (K, C)
            float32, one for each run.
        """
        rows = [self._found(seen, index, [values[index] for values in outputs]) for index in range(len(seen.ids))]
        for number in [number for number, face in self.faces.items() if seen.number - face.seen > self.patience]:
            del self.faces[number]
        rows += [
            self._missed(seen.number, number, face) for number, face in self.faces.items() if face.fed < seen.number
        ]
        return sorted(rows, key=lambda row: row.id)

    def _found(self, seen: FrameFaces, index: int, outputs: Sequence[np.ndarray]) -> LiveRow:
        number, box = int(seen.ids[index]), seen.boxes[index]
        face = self.faces.get(number)
        if face is None or seen.number - face.fed > RESET * self.patience:
            face = self.faces[number] = _Face(
                tuple(StreamingFilter(params.kernel, params.radius) for params in self.filters),
                seen.number - 1,
                seen.number,
                box,
            )
        self._skip_to(face, seen.number)
        smoothed = cast(
            "tuple[np.ndarray, ...]", tuple(stream(values) for stream, values in zip(face.filters, outputs))
        )
        face.fed = face.seen = seen.number
        face.box = box
        return LiveRow(seen.number, number, True, box, float(seen.scores[index]), tuple(outputs), smoothed)

    def _missed(self, frame: int, number: int, face: _Face) -> LiveRow:
        self._skip_to(face, frame)
        smoothed = cast("tuple[np.ndarray, ...]", tuple(stream(None) for stream in face.filters))
        face.fed = frame
        return LiveRow(frame, number, False, face.box, float("nan"), None, smoothed)

    def _skip_to(self, face: _Face, frame: int) -> None:
        """Advance the filters over dropped frames up to the one before `frame`."""
        for _ in range(frame - face.fed - 1):
            for stream in face.filters:
                stream(None)
        face.fed = frame - 1
