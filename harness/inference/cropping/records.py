"""Records of cropped videos, and the report of a folder of crops, by which a command is resumed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from harness.inference.cropping.options import NOTE, CropOptions
from harness.inference.cropping.video_list import VideoFile
from harness.inference.inputs import output_names
from harness.utils.errors import InputError
from harness.utils.files import write_json
from harness.utils.json_checks import has_valid, is_count, is_json, is_number, list_of, optional
from harness.utils.json_text import read_json
from harness.utils.names import is_file_name
from harness.utils.type_checks import have_hinted_types

KIND, FORMAT = "framelight crops", 1
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
        Number of faces that were detected, but not cropped, as they were seen too briefly.
    joined : int
        Number of times that the face of a person was lost and tracked anew.
    rate : float or None
        Frames per second; None for a folder of frames, and if unknown.
    people : tuple of PersonRecord
        From left to right.
    notes : tuple of str
        Messages about damage of the video.
    error : str
        Why it could not be read; "" if it could.
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


class CropReport:
    """The report of a folder of crops, `crop.json`.

    Parameters
    ----------
    options : CropOptions

    Raises
    ------
    InputError
        If the file is not a report, or the crops were made with other settings.
    """

    def __init__(self, options: CropOptions) -> None:
        self.path, self.folder = options.out / NOTE, options.folder
        self.settings = options.settings()
        self.records: dict[str, VideoRecord] = {}
        if self.path.exists():
            self.records = {record.source: record for record in self._read()}

    def _read(self) -> list[VideoRecord]:
        try:
            report = read_json(self.path)
            valid = report["kind"] == KIND and report["version"] == FORMAT and is_json(report["settings"])
            records = [_parse_record(values) for values in report["videos"]] if valid else []
        except (OSError, ValueError, LookupError, TypeError):
            valid = False
        if not valid:
            raise InputError(f"{self.path} is not the report of crops of this version; choose another --out folder")
        if report["settings"] != self.settings:
            raise InputError(
                f"{self.path.parent} has crops with other settings: {_differences(report['settings'], self.settings)}; "
                "choose another --out folder, or give the settings of these crops"
            )
        return records

    def moved(self, videos: Iterable[VideoFile]) -> None:
        """Recognize videos that were moved since they were cropped: same file name, size and time."""
        sources = {video.source for video in videos}
        for video in videos:
            same = (
                record
                for record in self.records.values()
                if record.source not in sources and record.version == video.version
            )
            if video.source not in self.records and (record := next(same, None)) is not None:
                del self.records[record.source]
                self.add(VideoRecord(**{**_shallow(record), "source": video.source}))

    def add(self, record: VideoRecord) -> None:
        """Add the record of a video, in place of an earlier one."""
        self.records[record.source] = record

    def state(self, video: VideoFile) -> str:
        """Return "complete", or why a video has to be cropped: "new", "changed", "incomplete" or "failed"."""
        record = self.records.get(video.source)
        if record is None:
            return "new"
        if record.version != video.version:
            return "changed"
        if record.status == FAILED:
            return "failed"
        complete = all(_count_files(self.folder / person.name) == person.crops for person in record.people)
        return "complete" if complete else "incomplete"

    def write(self) -> None:
        """Write the report."""
        records = sorted(self.records.values(), key=lambda record: record.name)
        frames, with_face = (sum(getattr(record, name) for record in records) for name in ("frames", "with_face"))
        write_json(
            self.path,
            {
                "kind": KIND,
                "version": FORMAT,
                "settings": self.settings,
                "videos": [asdict(record) for record in records],
                "lost": {
                    "videos_without_a_face": [record.name for record in records if record.status == NO_FACE],
                    "videos_that_cannot_be_read": {r.name: r.error for r in records if r.status == FAILED},
                    "frames_without_a_face": frames - with_face,
                    "brief_faces": sum(record.brief_faces for record in records),
                },
            },
        )


def _shallow(record: VideoRecord) -> dict[str, Any]:
    return {field.name: getattr(record, field.name) for field in fields(record)}


def _parse_record(values: Mapping[str, Any]) -> VideoRecord:
    """Validate a record; raise ValueError if it is not one that `CropReport.write` has written."""
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


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in now if before.get(name) != now[name]]
    return ", ".join(f"{name} was {before.get(name)} and is {now[name]}" for name in names) or "of another version"


def _count_files(folder: Path) -> int:
    try:
        return sum(name.endswith(".jpg") for name in os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return -1


def video_names(videos: Sequence[VideoFile], records: Iterable[VideoRecord]) -> dict[str, str]:
    """Choose the name of the crops of each video: that of its file without the suffix, if no other crops have it.

    Parameters
    ----------
    videos : sequence of VideoFile
    records : iterable of VideoRecord
        Records of earlier calls; the same videos get the same names.

    Returns
    -------
    dict of str to str
        Names by `VideoFile.text`.
    """
    by_source = {record.source: record for record in records}
    same = {video.text: by_source[video.source].name for video in videos if video.source in by_source}
    taken = [name for r in by_source.values() for name in (r.name, *(person.name for person in r.people))]
    return output_names([video.text for video in videos], same, taken)
