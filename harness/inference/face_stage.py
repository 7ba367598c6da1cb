"""Face detection and tracking: the stage from decoded frames to the crops that the networks read."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from harness.inference.chunks import Chunk
    from harness.video.faces.boxes import Faces, Framing
    from harness.video.faces.detector_protocol import Detector
    from harness.video.frames import Frame

SIDE = 112
"""Side of a crop in pixels, as in the datasets."""
LIVE_TURN = 8
"""Offset of the `frame_index` that the detector gets in real time. At index 0, it would search the whole frame in all
poses, which is slow. At this index, it searches the whole frame for upright faces only."""
THUMBNAIL = 12
"""Side in pixels of the gray thumbnails that are compared to tell people apart."""


@dataclass(frozen=True, eq=False)
class FrameFaces:
    """The K faces of a frame, without the frame's pixels.

    Attributes
    ----------
    number : int
        Number of the frame.
    seconds : float
    size : tuple of int
        Width and height of the frame in pixels.
    boxes : ndarray of shape (K, 4)
        x, y, width and height in pixels.
    scores : ndarray of shape (K,)
        Scores of the detector.
    hints : ndarray of shape (K,)
        int64, passed to the detector when it searches for the same faces in the next frame.
    ids : ndarray of shape (K,)
        int64 track ids.
    appearance : ndarray of shape (K, L)
        float16 descriptors of length L, by which the tracker tells people apart.
    crops : tuple of list of ndarray of shape (S, S, 3)
        For each framing, the list of the K crops, uint8 RGB with a side of S pixels. A framing is a rule for the
        position and size of crops, see `harness.video.faces.boxes.Framing`.
    duration : float
        Seconds until the next frame; NaN if that is not known.
    """

    number: int
    seconds: float
    size: tuple[int, int]
    boxes: np.ndarray
    scores: np.ndarray
    hints: np.ndarray
    ids: np.ndarray
    appearance: np.ndarray
    crops: tuple[list[np.ndarray], ...]
    duration: float = math.nan

    def without_crops(self) -> FrameFaces:
        """Copy without the crops."""
        return replace(self, crops=())


class FaceStage(Protocol):
    """Interface of a stage that finds faces in consecutive frames and assigns ids to the faces."""

    def __call__(self, frame: Frame) -> FrameFaces:
        """Find the faces of the next frame."""

    def replay(self, chunk: Chunk) -> None:
        """Restore the state after the frames of a chunk that an interrupted command has already processed."""

    def confirmed_tracks(self) -> dict[int, int]:
        """Map each id that is confirmed as a face to its face number in the tables."""

    def track_count(self) -> int:
        """Get the number of ids, confirmed or not."""


class TrackingStage(ABC):
    """Tracking of faces and cutting of their crops; subclasses find the faces of a frame.

    Parameters
    ----------
    framings : sequence of Framing
        Rules for the position and size of crops. Each face is cropped once with each framing.
    rate : float or None
        Frames per second; None if each frame is a separate image.
    side : int
        Side of the crops in pixels.
    """

    def __init__(self, framings: Sequence[Framing], rate: float | None, side: int = SIDE) -> None:
        from harness.video.faces.tracker import FaceTracker

        self.framings, self.rate, self.side = tuple(framings), rate, side
        self.tracker, self._most = FaceTracker(rate), 0
        self._last, self._seconds = 0, math.nan

    def __call__(self, frame: Frame) -> FrameFaces:
        """Find the faces of the next frame and cut their crops."""
        faces = self._find(frame)
        ids, appearance = self._track(frame, faces)
        crops = tuple(framing.cut(frame.pixels, faces, self.side) for framing in self.framings)
        hints = np.zeros(len(faces), np.int64) if faces.hints is None else faces.hints
        return FrameFaces(
            frame.number,
            frame.seconds,
            frame.size,
            faces.boxes,
            faces.scores,
            hints,
            ids,
            appearance,
            crops,
            frame.duration,
        )

    @abstractmethod
    def _find(self, frame: Frame) -> Faces:
        """Find the faces of the next frame."""

    def _track(self, frame: Frame, faces: Faces) -> tuple[np.ndarray, np.ndarray]:
        """Assign ids to the faces of the next frame, and describe their appearance."""
        from harness.video.faces.track import FrameTime

        if self.rate is None:
            self._most = max(self._most, len(faces))
            return np.arange(1, len(faces) + 1), np.zeros((len(faces), 0), np.float16)
        appearance = _appearance(frame.pixels, faces)
        time = FrameTime(frame.seconds, frame.duration)
        ids = self.tracker.update(frame.number, faces, appearance if len(faces) else None, time=time)
        self._last, self._seconds = frame.number, frame.seconds
        return ids, appearance

    def replay(self, chunk: Chunk) -> None:
        """Restore the state of the tracker after the frames of a chunk."""
        from harness.video.faces.boxes import Faces
        from harness.video.faces.track import FrameTime

        if self.rate is None:
            self._most = max(self._most, int(chunk.ids.max(initial=0)))
            return
        times = map(FrameTime, chunk.seconds.tolist(), chunk.durations.tolist())
        for number, time, rows in zip(chunk.frames.tolist(), times, chunk.rows()):
            faces = Faces(chunk.boxes[rows], chunk.scores[rows], chunk.hints[rows])
            self.tracker.update(number, faces, chunk.appearance[rows] if len(faces) else None, chunk.ids[rows], time)
            self._last, self._seconds = number, time.seconds

    def confirmed_tracks(self) -> dict[int, int]:
        """Map each confirmed id to its face number in the tables; in separate images, every id is confirmed."""
        if self.rate is None:
            return {number: number for number in range(1, self._most + 1)}
        return self.tracker.confirmed_tracks()

    def track_count(self) -> int:
        """Get the number of ids, confirmed or not."""
        return self._most if self.rate is None else self.tracker.track_count


class DetectAndTrack(TrackingStage):
    """Face detection and tracking in the frames of a video.

    A frame that is shown for almost a second or longer is searched as thoroughly as a still image. So is the frame
    after it, since faces may have moved far by then.

    Parameters
    ----------
    detector : Detector
    framings, rate, side
        See `TrackingStage`.
    live : bool
        Whether frames arrive in real time. If so, even the first frame is searched in one pose only, because a search
        in all poses takes as long as ten frames, which would then be dropped.
    """

    def __init__(
        self, detector: Detector, framings: Sequence[Framing], rate: float | None, live: bool = False, side: int = SIDE
    ) -> None:
        from harness.video.faces.alignment import FivePointAlignment

        super().__init__(framings, rate, side)
        self.detector, self._first_turn = detector, LIVE_TURN if live else 0
        self._aligned = any(isinstance(framing, FivePointAlignment) for framing in self.framings)

    def _find(self, frame: Frame) -> Faces:
        faces = self._detect(frame)
        return self.detector.refine(frame.pixels, faces) if self._aligned else faces

    def _detect(self, frame: Frame) -> Faces:
        if self.rate is None or self._is_still(frame):
            return self.detector(frame.pixels)
        return self.detector(frame.pixels, self.tracker.expected_boxes(), self._first_turn + self.tracker.turn)

    def _is_still(self, frame: Frame) -> bool:
        """Return whether a frame, or the frame just before it, is shown as long as a still image."""
        from harness.video.faces.tracker import STILL_SECONDS

        pause = frame.seconds - self._seconds if frame.number == self._last + 1 else math.nan
        return frame.duration >= STILL_SECONDS or pause >= STILL_SECONDS


class PrecroppedFaces:
    """Stage for inputs in which every frame is a crop of the same face.

    Parameters
    ----------
    framings : int
        Number of framings; the crop is used for each.
    """

    def __init__(self, framings: int) -> None:
        self.framings = framings

    def __call__(self, frame: Frame) -> FrameFaces:
        """Use the frame as the only face."""
        box = np.array([[0, 0, *frame.size]], np.float32)
        return FrameFaces(
            frame.number,
            frame.seconds,
            frame.size,
            box,
            np.full(1, np.nan, np.float32),
            np.zeros(1, np.int64),
            np.ones(1, np.int64),
            np.zeros((1, 0), np.float16),
            ([frame.pixels],) * self.framings,
            frame.duration,
        )

    def replay(self, chunk: Chunk) -> None:
        """Do nothing: there is no state."""

    def confirmed_tracks(self) -> dict[int, int]:
        """Map the only id to face number 1."""
        return {1: 1}

    def track_count(self) -> int:
        """Get the number of ids: one."""
        return 1


def _appearance(pixels: np.ndarray, faces: Faces) -> np.ndarray:
    """Compute a gray thumbnail of each of the K faces minus its mean, float16 [K, THUMBNAIL * THUMBNAIL]."""
    from harness.video.faces.boxes import Margin, crop

    thumbnails = [
        crop(pixels, box, Margin(1.0), THUMBNAIL).mean(axis=2, dtype=np.float32).ravel() for box in faces.boxes
    ]
    appearance = np.stack(thumbnails) if thumbnails else np.zeros((0, THUMBNAIL * THUMBNAIL), np.float32)
    return (appearance - appearance.mean(axis=1, keepdims=True)).astype(np.float16)
