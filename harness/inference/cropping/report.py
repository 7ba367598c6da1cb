"""Report of a folder of crops. An interrupted command reads it to resume."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.data.image_files import list_names
from harness.inference.cropping.options import NOTE, CropOptions
from harness.inference.cropping.records import FAILED, NO_FACE, VideoRecord, parse_record
from harness.inference.cropping.video_list import VideoFile
from harness.inference.inputs import output_names
from harness.utils.errors import InputError
from harness.utils.files import write_json
from harness.utils.json_checks import is_json
from harness.utils.json_text import read_json
from harness.utils.names import is_file_name

KIND, FORMAT = "framelight crops", 1


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
        self.pending: set[str] = set()
        """Names of videos that a call has begun to crop, or could not read; their folders may be replaced."""
        self.labels: dict[str, str] = {}
        """SHA-256 of the copies of the labels by file name."""
        if self.path.exists():
            self.records = {record.source: record for record in self._read()}

    def _read(self) -> list[VideoRecord]:
        try:
            report = read_json(self.path)
            valid = report["kind"] == KIND and report["version"] == FORMAT and is_json(report["settings"])
            records = [parse_record(values) for values in report["videos"]] if valid else []
            valid = valid and isinstance(report["pending"], list) and all(map(is_file_name, report["pending"]))
            labels = report.get("labels", {})
            valid = valid and all(is_file_name(name) and isinstance(value, str) for name, value in labels.items())
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            valid = False
        if not valid:
            raise InputError(f"{self.path} is not the report of crops of this version; choose another --out folder")
        if report["settings"] != self.settings:
            raise InputError(
                f"{self.path.parent} has crops with other settings: {_differences(report['settings'], self.settings)}; "
                "choose another --out folder, or give the settings of these crops"
            )
        self.pending, self.labels = set(report["pending"]), labels
        return records

    def moved(self, videos: Iterable[VideoFile]) -> None:
        """Recognize videos that were moved since they were cropped.

        Such a video has the file name, size and time of a cropped video that is no longer at its old path.
        """
        others = {record.version: record for record in self.records.values() if not os.path.lexists(record.source)}
        for video in videos:
            if video.source not in self.records and (record := others.pop(video.version, None)) is not None:
                del self.records[record.source]
                self.add(replace(record, source=video.source))

    def add(self, record: VideoRecord) -> None:
        """Add the record of a video, in place of an earlier one."""
        self.records[record.source] = record

    def require_no_other_crops(self, names: Mapping[str, str]) -> None:
        """Check that the folders of new videos do not exist, unless an interrupted call has created them.

        Parameters
        ----------
        names : mapping of str to str
            For each video to crop: maps its name to the start of the names of its people, see `people_bases`.

        Raises
        ------
        InputError
            If there is another folder of the same name.
        """
        ours = {person.name for record in self.records.values() for person in record.people}
        others = set(list_names(self.folder)) - ours
        for name, base in names.items():
            of_people = re.compile(rf"{re.escape(base)}_(left|right|\d+)")
            found = {other for other in others if other == name or of_people.fullmatch(other)}
            if found and name not in self.pending:
                raise InputError(
                    f"{self.folder / min(found)} was not made by this command, and would be replaced by the crops of "
                    f"video {name}; move it elsewhere, or choose another --out folder"
                )

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
                "pending": sorted(self.pending),
                **({"labels": self.labels} if self.labels else {}),
                "lost": {
                    "videos_without_a_face": [record.name for record in records if record.status == NO_FACE],
                    "videos_that_cannot_be_read": {r.name: r.error for r in records if r.status == FAILED},
                    "frames_without_a_face": frames - with_face,
                    "brief_faces": sum(record.brief_faces for record in records),
                },
            },
        )


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    names = [name for name in now if before.get(name) != now[name]]
    return ", ".join(f"{name} was {before.get(name)} and is {now[name]}" for name in names) or "of another version"


def _count_files(folder: Path) -> int:
    try:
        return sum(name.endswith(".jpg") for name in os.listdir(folder))  # noqa: PTH208 - names alone
    except OSError:
        return -1


def video_names(videos: Sequence[VideoFile], records: Iterable[VideoRecord]) -> dict[str, str]:
    """Choose the name of the crops of each video.

    It is the file name without the suffix, unless other crops already have this name; see `output_names`.

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
