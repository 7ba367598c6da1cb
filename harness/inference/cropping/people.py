"""The people of a video: tracks that do not overlap in time are joined, and people are named by their position."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.inference.face_stage import FrameFaces

MIN_SHARE = 0.05
"""Minimum number of crops of a person, relative to the person with the most crops. People with fewer crops are left out
and counted as brief faces."""


@dataclass
class TrackSummary:
    """Frames of a track, and the position of its face.

    Attributes
    ----------
    frames : array of int
        Frame numbers, ascending.
    positions : array of float
        Horizontal position of the center of the box in each frame, from 0 (left) to 1.
    """

    frames: array = field(default_factory=lambda: array("q"))
    positions: array = field(default_factory=lambda: array("d"))


@dataclass(frozen=True)
class Person:
    """A person in a video.

    Attributes
    ----------
    tracks : tuple of int
        Ids of the tracks, in order of time.
    frames : ndarray of int64
        Frame numbers, ascending.
    position : float
        Mean horizontal position, from 0 (left) to 1.
    """

    tracks: tuple[int, ...]
    frames: np.ndarray
    position: float


class TrackCollector:
    """Collects the tracks of a video, frame by frame."""

    def __init__(self) -> None:
        self.tracks: dict[int, TrackSummary] = {}

    def add(self, faces: FrameFaces) -> None:
        """Add the faces of a frame."""
        centers = (faces.boxes[:, 0] + faces.boxes[:, 2] / 2) / faces.size[0]
        for number, center in zip(faces.ids.tolist(), centers.tolist()):
            track = self.tracks.setdefault(number, TrackSummary())
            track.frames.append(faces.number)
            track.positions.append(center)

    def people(self, confirmed: Iterable[int]) -> list[Person]:
        """Return the people of the confirmed tracks, from left to right; brief faces are left out."""
        people = join_tracks({number: self.tracks[number] for number in confirmed})
        most = max((len(person.frames) for person in people), default=0)
        frequent = [person for person in people if len(person.frames) >= MIN_SHARE * most]
        return sorted(frequent, key=lambda person: person.position)


def join_tracks(tracks: Mapping[int, TrackSummary]) -> list[Person]:
    """Join tracks to as few people as possible, none of whom has two tracks at the same time.

    Each track is assigned to one of the people whose tracks have ended before it starts: the one whose last position
    is nearest to the first position of the track. If there are none, the track starts a new person.

    Parameters
    ----------
    tracks : mapping of int to TrackSummary
        Tracks by id.

    Returns
    -------
    list of Person
    """
    joined: list[list[int]] = []
    for number in sorted(tracks, key=lambda number: (tracks[number].frames[0], number)):
        track = tracks[number]
        free = [person for person in joined if tracks[person[-1]].frames[-1] < track.frames[0]]
        if free:
            start = track.positions[0]
            min(free, key=lambda person: abs(tracks[person[-1]].positions[-1] - start)).append(number)
        else:
            joined.append([number])
    return [_person(person, [tracks[number] for number in person]) for person in joined]


def _person(numbers: Sequence[int], tracks: Sequence[TrackSummary]) -> Person:
    frames = np.concatenate([np.array(track.frames, np.int64) for track in tracks])
    positions = np.concatenate([np.array(track.positions, np.float64) for track in tracks])
    return Person(tuple(numbers), frames, float(positions.mean()))


def people_names(video: str, base: str, count: int) -> list[str]:
    """Return the names of the crops of people, from left to right.

    Parameters
    ----------
    video : str
        Name of the crops if there is one person.
    base : str
        Start of the names if there are several people.
    count : int
        Number of people.

    Examples
    --------
    >>> [people_names("talk", "talk", count) for count in (1, 2, 3)]
    [['talk'], ['talk_left', 'talk_right'], ['talk_1', 'talk_2', 'talk_3']]
    """
    if count == 1:
        return [video]
    ends = ("left", "right") if count == 2 else range(1, count + 1)
    return [f"{base}_{end}" for end in ends]
