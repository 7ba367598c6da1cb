"""Records of cropped videos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.utils.json_checks import has_valid, is_count, is_number, list_of, optional
from harness.utils.names import is_file_name
from harness.utils.type_checks import have_hinted_types

CROPPED, NO_FACE, FAILED = "cropped", "no face", "failed"


@dataclass(frozen=True)
class PersonRecord:
    """Crops of a person: name of the folder, number of crops, first and last frame, and mean horizontal position."""

    name: str
    crops: int
    first: int
    last: int
    position: float


@dataclass(frozen=True)
class VideoRecord:
    """Result for a video.

    Attributes
    ----------
    name : str
        Name of its crops.
    source : str
        Absolute path.
    version : str
        See `VideoFile`.
    status : {"cropped", "no face", "failed"}
    frames : int
        Number of frames.
    with_face : int
        Number of frames that have a crop.
    brief_faces : int
        Number of faces that were detected, but not cropped; see `harness.inference.cropping.people.MIN_SHARE`.
    joined : int
        Number of times that the face of a person was lost and tracked anew.
    rate : float or None
        Frames per second; None for a folder of frames, and if unknown.
    people : tuple of PersonRecord
        From left to right.
    notes : tuple of str
        Messages about damage of the video.
    error : str
        Why the video could not be read; "" if it could.
    """

    name: str
    source: str
    version: str
    status: str = FAILED
    frames: int = 0
    with_face: int = 0
    brief_faces: int = 0
    joined: int = 0
    rate: float | None = None
    people: tuple[PersonRecord, ...] = ()
    notes: tuple[str, ...] = ()
    error: str = ""

    @property
    def crops(self) -> int:
        """Number of crops."""
        return sum(person.crops for person in self.people)


def parse_record(values: Mapping[str, Any]) -> VideoRecord:
    """Validate a record; raise ValueError if it is not valid."""
    people = tuple(PersonRecord(**person) for person in values["people"])
    record = VideoRecord(**{**values, "people": people, "notes": tuple(values["notes"])})
    named = all(is_file_name(name) for name in (record.name, *(person.name for person in people)))
    typed = all(have_hinted_types(PersonRecord, vars(person)) for person in people)
    counts = ("frames", "with_face", "brief_faces", "joined")
    texts = ("source", "version", "status", "error")
    if not (
        named
        and typed
        and all(has_valid(values, name, is_count) for name in counts)
        and has_valid(values, "rate", optional(is_number))
        and all(isinstance(values[name], str) for name in texts)
        and list_of(lambda note: isinstance(note, str))(values["notes"])
    ):
        raise ValueError("not a record")
    return record
