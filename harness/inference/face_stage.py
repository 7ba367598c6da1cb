"""A frame becomes faces with their crops: the stage between decoding and the networks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from harness.inference.chunks import Chunk
    from harness.video.faces.boxes import Faces, Margin
    from harness.video.faces.detector import Detector
    from harness.video.frames import Frame

SIDE = 112
"""Pixels of a crop's side, as those of the data sets."""
THUMBNAIL = 12
"""Pixels of the side of the little grey picture by which people are told apart."""


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """A frame without its pixels.

    ids: int64 [K] of its faces; hints: int64 [K], the detector's; looks: float16 [K, L]; crops: for each margin K
    times uint8 [S, S, 3].
    """

    number: int
    seconds: float
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray
    ids: np.ndarray
    looks: np.ndarray
    crops: tuple[list[np.ndarray], ...]

    def light(self) -> FrameFaces:
        """Without the crops."""
        return replace(self, crops=())


class FaceStage(Protocol):
    def __call__(self, frame: Frame) -> FrameFaces:
        """Frames in the order of their numbers."""

    def recall(self, piece: Chunk) -> np.ndarray:
        """Take note of frames that were seen before; the ids of their faces, int64 [N]."""

    def confirmed_tracks(self) -> dict[int, int]:
        """id -> what it is called in tables, of those that have proved to be a face."""


class DetectAndTrack:
    """Finds the faces of a film's frames and follows them; without a rate every picture stands for itself."""

    def __init__(self, detector: Detector, margins: Sequence[Margin], rate: float | None) -> None:
        from harness.video.faces.tracker import Tracker

        self.detector, self.margins, self.rate = detector, tuple(margins), rate
        self.tracker, self._most = Tracker(rate), 0

    def __call__(self, frame: Frame) -> FrameFaces:
        from harness.video.faces.boxes import crop

        if self.rate is None:
            faces = self.detector(frame.pixels)
            looks, ids = np.zeros((len(faces), 0), np.float16), self._numbered(len(faces))
        else:
            faces = self.detector(frame.pixels, self.tracker.near(), self.tracker.turn)
            looks = _looks(frame.pixels, faces)
            ids = self.tracker.update(frame.number, faces, looks if len(faces) else None)
        crops = tuple([crop(frame.pixels, box, margin, SIDE) for box in faces.boxes] for margin in self.margins)
        hints = np.zeros(len(faces), np.int64) if faces.hints is None else faces.hints
        return FrameFaces(frame.number, frame.seconds, frame.size, faces.boxes, faces.scores, hints, ids, looks, crops)

    def recall(self, piece: Chunk) -> np.ndarray:
        from harness.video.faces.boxes import Faces

        found = [np.zeros(0, np.int64)]
        for number, rows in zip(piece.frames.tolist(), piece.rows()):
            faces = Faces(piece.boxes[rows], piece.scores[rows], piece.hints[rows])
            found.append(self._numbered(len(faces)) if self.rate is None else
                         self.tracker.update(number, faces, piece.looks[rows] if len(faces) else None))
        return np.concatenate(found)

    def confirmed_tracks(self) -> dict[int, int]:
        return self.tracker.confirmed_tracks() if self.rate is not None else {id: id for id in range(1, self._most + 1)}

    def _numbered(self, faces: int) -> np.ndarray:
        """The ids of the faces of a picture that stands for itself: nothing proves them but the picture."""
        self._most = max(self._most, faces)
        return np.arange(1, faces + 1)


class PrecroppedFaces:
    """Every picture is one crop of the same face already; nothing is searched."""

    def __init__(self, margins: int) -> None:
        self.margins = margins

    def __call__(self, frame: Frame) -> FrameFaces:
        box = np.array([[0, 0, *frame.size]], np.float32)
        return FrameFaces(frame.number, frame.seconds, frame.size, box, np.full(1, np.nan, np.float32),
                    np.zeros(1, np.int64), np.ones(1, np.int64), np.zeros((1, 0), np.float16),
                    ([frame.pixels],) * self.margins)

    def recall(self, piece: Chunk) -> np.ndarray:
        return np.ones(len(piece.at), np.int64)

    def confirmed_tracks(self) -> dict[int, int]:
        return {1: 1}


def _looks(pixels: np.ndarray, faces: Faces) -> np.ndarray:
    """float16 [K, GLANCE * GLANCE]: each face small, grey, and without its mean."""
    from harness.video.faces.boxes import Margin, crop

    found = [crop(pixels, box, Margin(1.0), THUMBNAIL).mean(axis=2, dtype=np.float32).ravel() for box in faces.boxes]
    looks = np.stack(found) if found else np.zeros((0, THUMBNAIL * THUMBNAIL), np.float32)
    return (looks - looks.mean(axis=1, keepdims=True)).astype(np.float16)
