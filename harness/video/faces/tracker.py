"""One id for each person: faces of a frame joined to those of the frames before."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linear_sum_assignment

from harness.video.faces.boxes import Faces

PATIENCE_SECONDS = 1.0
"""A face unseen for longer comes back as somebody new."""

SEARCH_SECONDS = 0.5
"""For so long an unseen face is still looked for where it should be."""

HITS = 3
"""A track found in fewer frames is taken for a mistake of the detector."""

MAX_SHIFT = 0.6
MAX_SPEED = 4.0
MAX_DISTANCE = 2.0
"""A face moves at most REACH sides between frames, and SPEED sides a second; never further than FARTHEST."""

MAX_LOG_RESIZE = 0.7
"""Largest change of size between two sightings, as a logarithm."""

SPEED_DECAY = 0.9
"""Share of its speed that an unseen face keeps from frame to frame."""

APPEARANCE_WEIGHT = 0.6
APPEARANCE_RANGE = 3.0
"""Looks count from their usual change on, in full at LOOKS_RANGE times as much more."""

DEFAULT_RATE = 25.0
FORBIDDEN_COST = 1e6


@dataclass
class _Track:
    number: int
    frame: int
    box: np.ndarray
    appearance: np.ndarray | None
    hint: int
    hits: int = 1
    speed: np.ndarray = field(default_factory=lambda: np.zeros(2))

    def expected(self, frame: int) -> np.ndarray:
        """The box, moved on to `frame` at a speed that fades."""
        steps = frame - self.frame
        moved = self.box.copy()
        moved[:2] += self.speed * (1 - SPEED_DECAY**steps) / (1 - SPEED_DECAY)
        return moved


class FaceTracker:
    """Follows the faces of one video; rate: frames a second, None for pictures that are not of one film.

    Ids are given as tracks begin. What they are called in tables, and which are no person at all, `lasting` tells.
    """

    def __init__(self, rate: float | None) -> None:
        self._rate = rate or DEFAULT_RATE
        self._hits = HITS if rate else 1
        self._tracks: list[_Track] = []
        self._lasting: dict[int, int] = {}
        self._given = 0
        self._usual: float | None = None
        self._frame = 0
        self.turn = 0
        """Frames seen so far."""

    def update(
        self, frame_number: int, faces: Faces, embeddings: np.ndarray | None = None, known_ids: np.ndarray | None = None
    ) -> np.ndarray:
        """Return the ids, int64 [K] from 1, of the faces of a frame.

        Parameters
        ----------
        frame_number : int
            Greater than that of the frame before; numbers may be left out.
        faces : Faces
        embeddings : ndarray of shape (K, D), optional
            Appearance of each face, which tells people apart where positions do not suffice.
        known_ids : ndarray of shape (K,), optional
            Ids that an earlier call returned for this frame, where stored frames are replayed.
        """
        self.turn += 1
        self._frame = frame_number
        self._tracks = [track for track in self._tracks if self._age(track) <= PATIENCE_SECONDS * self._rate]
        ids = np.zeros(len(faces), np.int64)
        looks = None if embeddings is None else _normalize(np.asarray(embeddings, np.float64))
        hints = np.zeros(len(faces), np.int64) if faces.hints is None else faces.hints
        pairs = (
            self._match(faces.boxes, looks)
            if known_ids is None
            else [(track, int(row)) for track in self._tracks for row in np.flatnonzero(known_ids == track.number)]
        )
        for track, row in pairs:
            self._update_track(track, faces.boxes[row], None if looks is None else looks[row])
            track.hint = int(hints[row])
            ids[row] = track.number
        for row in np.flatnonzero(ids == 0):
            self._given += 1
            ids[row] = self._given
            self._tracks.append(
                _Track(
                    self._given,
                    frame_number,
                    np.asarray(faces.boxes[row], np.float64),
                    None if looks is None else looks[row],
                    int(hints[row]),
                )
            )
        for track in sorted(self._tracks, key=lambda track: track.number):
            if track.hits >= self._hits and track.number not in self._lasting:
                self._lasting[track.number] = len(self._lasting) + 1
        return ids

    def expected_boxes(self) -> np.ndarray:
        """float32 [K, 5], boxes where faces are expected in the next frame, and the detector's hints."""
        sought = [
            [*track.expected(self._frame + 1), track.hint]
            for track in self._tracks
            if self._age(track) <= SEARCH_SECONDS * self._rate
        ]
        return np.asarray(sought, np.float32).reshape(-1, 5)

    def confirmed_tracks(self) -> dict[int, int]:
        """Id -> what it is called, from 1 without holes, for the tracks that have proved to be a face by now.

        Rows of other ids are mistakes of the detector, or too young. Names never change.
        """
        return dict(self._lasting)

    def _age(self, track: _Track) -> int:
        return self._frame - track.frame

    def _match(self, boxes: np.ndarray, looks: np.ndarray | None) -> list[tuple[_Track, int]]:
        if not self._tracks or not len(boxes):
            return []
        expected = np.array([track.expected(self._frame) for track in self._tracks])
        ages = np.array([self._age(track) for track in self._tracks])
        sides, found = expected[:, 2:].mean(axis=1), boxes[:, 2:].mean(axis=1)
        apart = _centers(expected)[:, None] - _centers(boxes)[None]
        distance = np.hypot(apart[..., 0], apart[..., 1]) / np.sqrt(sides[:, None] * found[None])
        resized = np.abs(np.log(found[None] / sides[:, None]))
        reach = np.minimum(MAX_SHIFT + MAX_SPEED * ages / self._rate, MAX_DISTANCE)[:, None]
        cost = distance / reach + 0.5 * resized + 0.02 * (ages - 1)[:, None]
        if looks is not None:
            cost += APPEARANCE_WEIGHT * self._dissimilarity(looks)
        cost[(distance > reach) | (resized > MAX_LOG_RESIZE)] = FORBIDDEN_COST
        rows, columns = linear_sum_assignment(cost)
        return [
            (self._tracks[row], int(column)) for row, column in zip(rows, columns) if cost[row, column] < FORBIDDEN_COST
        ]

    def _dissimilarity(self, looks: np.ndarray) -> np.ndarray:
        """[tracks, K], 0 for changes as they are usual from frame to frame, 1 for another person's."""
        if self._usual is None:
            return np.zeros((len(self._tracks), len(looks)))
        change = np.array(
            [
                np.zeros(len(looks)) if track.appearance is None else 1 - looks @ track.appearance
                for track in self._tracks
            ]
        )
        return np.clip((change / max(self._usual, 1e-6) - 1) / APPEARANCE_RANGE, 0, 1)

    def _update_track(self, track: _Track, box: np.ndarray, looks: np.ndarray | None) -> None:
        steps = self._age(track)
        moved = (_centers(box[None])[0] - _centers(track.box[None])[0]) / steps
        track.speed = 0.5 * track.speed + 0.5 * moved
        track.box = np.asarray(box, np.float64)
        track.frame = self._frame
        track.hits += 1
        if looks is None:
            return
        if track.appearance is not None:
            change = 1 - float(looks @ track.appearance)
            self._usual = change if self._usual is None else 0.9 * self._usual + 0.1 * change
        track.appearance = (
            looks if track.appearance is None else _normalize((0.8 * track.appearance + 0.2 * looks)[None])[0]
        )


def _centers(boxes: np.ndarray) -> np.ndarray:
    return boxes[:, :2] + boxes[:, 2:] / 2


def _normalize(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
