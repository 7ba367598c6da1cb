"""Faces of a live video, each with its own filters, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.inference.face_stage import FrameFaces
from harness.smoothing.kernels import SmoothingParams
from harness.smoothing.streaming import StreamingFilter
from harness.video.faces.tracker import PATIENCE_SECONDS

RESET_SECONDS = 2 * PATIENCE_SECONDS
"""Seconds without a frame of a face after which its filters begin anew."""


@dataclass(frozen=True, eq=False)
class LiveRow:
    """One face of one frame. id: as it was tracked; box: float32 [4], where it was last seen; raw: outputs of each
    run, None where the face was not found; smoothed: float64 [C] of each run.
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
    """rate: frames a second; filters: of each run."""

    def __init__(self, filters: Sequence[SmoothingParams], rate: float) -> None:
        self.filters, self.patience, self.longest = filters, PATIENCE_SECONDS * rate, RESET_SECONDS * rate
        self.faces: dict[int, _Face] = {}

    def __call__(self, seen: FrameFaces, outputs: Sequence[np.ndarray]) -> list[LiveRow]:
        """The rows of a frame; outputs: float32 [K, C] of each run. A face that was there a moment ago has a row too.

        Frames that were dropped count in the filters as frames without the face, so that a delay is one in time.
        """
        rows = [self._found(seen, place, [own[place] for own in outputs]) for place in range(len(seen.ids))]
        for number in [number for number, face in self.faces.items() if seen.number - face.seen > self.patience]:
            del self.faces[number]
        rows += [
            self._missed(seen.number, number, face) for number, face in self.faces.items() if face.fed < seen.number
        ]
        return sorted(rows, key=lambda row: row.id)

    def _found(self, seen: FrameFaces, place: int, outputs: Sequence[np.ndarray]) -> LiveRow:
        number, box = int(seen.ids[place]), seen.boxes[place]
        face = self.faces.get(number)
        if face is None or seen.number - face.fed > self.longest:
            face = self.faces[number] = _Face(
                tuple(StreamingFilter(one.kernel, one.radius) for one in self.filters),
                seen.number - 1,
                seen.number,
                box,
            )
        self._skip_to(face, seen.number)
        smoothed = tuple(stream(own) for stream, own in zip(face.filters, outputs))
        face.fed = face.seen = seen.number
        face.box = box
        return LiveRow(seen.number, number, True, box, float(seen.scores[place]), tuple(outputs), smoothed)

    def _missed(self, frame: int, number: int, face: _Face) -> LiveRow:
        self._skip_to(face, frame)
        smoothed = tuple(stream(None) for stream in face.filters)
        face.fed = frame
        return LiveRow(frame, number, False, face.box, float("nan"), None, smoothed)

    def _skip_to(self, face: _Face, frame: int) -> None:
        """Frames up to the one before `frame` that never came."""
        for _ in range(frame - face.fed - 1):
            for stream in face.filters:
                stream(None)
        face.fed = frame - 1
