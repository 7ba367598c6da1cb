"""Face tracking: assign the same id to the faces of one person by matching the faces of successive frames."""

from __future__ import annotations

import math
from collections import deque

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.video.faces.boxes import Faces
from harness.video.faces.track import FrameTime, Track

REVISION = 2
"""Version of the tracker, raised whenever its results change."""
PATIENCE_SECONDS = 1.0
PATIENCE_FRAMES = 3
"""A face that was not detected for too long gets a new id when it reappears. Too long means longer than
`PATIENCE_SECONDS` and also longer than `PATIENCE_FRAMES` usual intervals between frames."""

SEARCH_SECONDS = 0.5
"""An undetected face is searched for at its expected position for this long."""

HITS = 3
STILL_SECONDS = 0.75
"""A track with fewer than `HITS` detections is considered a false detection, unless its frames were shown for
`STILL_SECONDS` in total. Frames that are shown that long are like still images, in which a single detection counts as a
face."""

MAX_SHIFT = 0.6
MAX_SPEED = 4.0
MAX_DISTANCE = 2.0
"""Largest distance of a match from the expected position of a face, in sides of its box: `MAX_SHIFT`, plus `MAX_SPEED`
for each second since the last detection, but no more than `MAX_DISTANCE`."""

MAX_LOG_RESIZE = 0.7
"""Largest change in size between two detections, as a natural logarithm."""

APPEARANCE_WEIGHT = 0.6
APPEARANCE_RANGE = 3.0
"""A change in appearance adds to the cost of a match if it exceeds the usual change between frames; it adds the full
weight if the excess is `APPEARANCE_RANGE` times the usual change."""

DEFAULT_RATE = 25.0
"""Frames per second that are assumed if the rate is unknown."""
FORBIDDEN_COST = 1e6
"""Cost of a match that is not allowed."""
ROUNDING = 1e-3
"""Tolerance of comparisons of times, in seconds."""
INTERVALS = 15
"""Number of recent intervals between frames whose median is the usual interval."""


class FaceTracker:
    """Tracker of the faces in one video.

    Every track has an id from its first frame on; `confirmed_tracks` maps ids to the numbers used in the output.

    Parameters
    ----------
    rate : float or None
        Frames per second; None for unrelated images, whose tracks are confirmed by a single detection.

    Attributes
    ----------
    turn : int
        Number of frames so far.
    track_count : int
        Number of ids so far, confirmed or not.
    """

    def __init__(self, rate: float | None) -> None:
        self._interval = 1 / (rate or DEFAULT_RATE)
        self._min_hits = HITS if rate else 1
        self._tracks: list[Track] = []
        self._confirmed: dict[int, int] = {}
        self.track_count = 0
        self._usual_change: float | None = None
        self._frame, self._seconds, self._end = 0, math.nan, math.nan
        self._intervals: deque[float] = deque(maxlen=INTERVALS)
        self.turn = 0

    def update(
        self,
        frame_number: int,
        faces: Faces,
        embeddings: np.ndarray | None = None,
        known_ids: np.ndarray | None = None,
        time: FrameTime = FrameTime(),  # noqa: B008 - immutable
    ) -> np.ndarray:
        """Assign ids to the faces of a frame.

        Parameters
        ----------
        frame_number : int
            Larger than the number of the previous frame; numbers may be skipped.
        faces : Faces
            K faces.
        embeddings : ndarray of float, shape (K, D), optional
            Appearance of each face, which distinguishes people whose positions are ambiguous.
        known_ids : ndarray of int, shape (K,), optional
            Ids that an earlier call returned for this frame, when stored frames are replayed.
        time : FrameTime, optional
            When the frame is shown. By default, all frames are shown for one interval of the rate.

        Returns
        -------
        ndarray of int64, shape (K,)
            Ids from 1.
        """
        self._advance(frame_number, time)
        patience = max(PATIENCE_SECONDS, PATIENCE_FRAMES * self._usual_interval())
        tolerance = self._usual_interval() / 2
        self._tracks = [track for track in self._tracks if self._seconds - track.end + tolerance <= patience]
        ids = np.zeros(len(faces), np.int64)
        appearance = None if embeddings is None else _normalize(np.asarray(embeddings, np.float64))
        hints = np.zeros(len(faces), np.int64) if faces.hints is None else faces.hints
        pairs = (
            self._match(faces.boxes, appearance)
            if known_ids is None
            else [(track, int(row)) for track in self._tracks for row in np.flatnonzero(known_ids == track.number)]
        )
        for track, row in pairs:
            self._update_track(track, faces.boxes[row], None if appearance is None else appearance[row])
            track.hint = int(hints[row])
            ids[row] = track.number
        for new_row in np.flatnonzero(ids == 0):
            self.track_count += 1
            ids[new_row] = self.track_count
            self._tracks.append(
                Track(
                    self.track_count,
                    frame_number,
                    self._seconds,
                    self._end,
                    np.asarray(faces.boxes[new_row], np.float64),
                    None if appearance is None else appearance[new_row],
                    int(hints[new_row]),
                    self._end - self._seconds,
                )
            )
        for track in sorted(self._tracks, key=lambda track: track.number):
            if self._is_face(track) and track.number not in self._confirmed:
                self._confirmed[track.number] = len(self._confirmed) + 1
        return ids

    def _advance(self, frame_number: int, time: FrameTime) -> None:
        """Set number, time and end of the new frame."""
        skipped = frame_number - self._frame
        before, self._frame = self._seconds, frame_number
        self._seconds = time.seconds
        if not math.isfinite(time.seconds):
            self._seconds = frame_number * self._interval if not self.turn else before + skipped * self._interval
        self._end = self._seconds + (time.duration if math.isfinite(time.duration) else self._interval)
        if self.turn:
            self._intervals.append(self._seconds - before)
        self.turn += 1

    def _usual_interval(self) -> float:
        return float(np.median(self._intervals)) if self._intervals else self._interval

    def _is_face(self, track: Track) -> bool:
        return track.hits >= self._min_hits or track.shown >= STILL_SECONDS

    def expected_boxes(self) -> np.ndarray:
        """Return where faces are expected in the next frame, float32 [K, 5]: x, y, width, height and hint."""
        expected = [
            [*track.expected(self._frame + 1), track.hint]
            for track in self._tracks
            if self._seconds - track.seconds <= SEARCH_SECONDS + ROUNDING
        ]
        return np.asarray(expected, np.float32).reshape(-1, 5)

    def confirmed_tracks(self) -> dict[int, int]:
        """Return the number of each confirmed track, by id; numbers are consecutive from 1 and never change.

        Faces with other ids are false detections, or belong to tracks that are too short so far.
        """
        return dict(self._confirmed)

    def _age(self, track: Track) -> int:
        return self._frame - track.frame

    def _match(self, boxes: np.ndarray, appearance: np.ndarray | None) -> list[tuple[Track, int]]:
        """Assign faces to tracks at minimal total cost; return the pairs."""
        if not self._tracks or not len(boxes):
            return []
        ages = np.array([self._age(track) for track in self._tracks])
        elapsed = self._seconds - np.array([track.seconds for track in self._tracks])
        expected = np.array([track.expected(self._frame, past) for track, past in zip(self._tracks, elapsed)])
        expected_sides, sides = expected[:, 2:].mean(axis=1), boxes[:, 2:].mean(axis=1)
        offset = _centers(expected)[:, None] - _centers(boxes)[None]
        distance = np.hypot(offset[..., 0], offset[..., 1]) / np.sqrt(expected_sides[:, None] * sides[None])
        resized = np.abs(np.log(sides[None] / expected_sides[:, None]))
        max_distance = np.minimum(MAX_SHIFT + MAX_SPEED * elapsed, MAX_DISTANCE)[:, None]
        cost = distance / max_distance + 0.5 * resized + 0.02 * (ages - 1)[:, None]
        if appearance is not None:
            cost += APPEARANCE_WEIGHT * self._dissimilarity(appearance)
        cost[(distance > max_distance) | (resized > MAX_LOG_RESIZE)] = FORBIDDEN_COST
        rows, columns = linear_sum_assignment(cost)
        return [
            (self._tracks[row], int(column)) for row, column in zip(rows, columns) if cost[row, column] < FORBIDDEN_COST
        ]

    def _dissimilarity(self, appearance: np.ndarray) -> np.ndarray:
        """Return, for each track and face, 0 for a usual change in appearance, up to 1 for another person."""
        if self._usual_change is None:
            return np.zeros((len(self._tracks), len(appearance)))
        change = np.array(
            [
                np.zeros(len(appearance)) if track.appearance is None else 1 - appearance @ track.appearance
                for track in self._tracks
            ]
        )
        return np.clip((change / max(self._usual_change, 1e-6) - 1) / APPEARANCE_RANGE, 0, 1)

    def _update_track(self, track: Track, box: np.ndarray, appearance: np.ndarray | None) -> None:
        steps = self._age(track)
        moved = (_centers(box[None])[0] - _centers(track.box[None])[0]) / steps
        track.speed = 0.5 * track.speed + 0.5 * moved
        track.box = np.asarray(box, np.float64)
        track.frame, track.seconds, track.end = self._frame, self._seconds, self._end
        track.shown += self._end - self._seconds
        track.hits += 1
        if appearance is None:
            return
        if track.appearance is None:
            track.appearance = appearance
            return
        change = 1 - float(appearance @ track.appearance)
        self._usual_change = change if self._usual_change is None else 0.9 * self._usual_change + 0.1 * change
        track.appearance = _normalize((0.8 * track.appearance + 0.2 * appearance)[None])[0]


def _centers(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, :2] + boxes[:, 2:] / 2


def _normalize(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
