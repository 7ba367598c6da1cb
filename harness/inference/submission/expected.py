"""What a submission is checked against: the videos or images of a list, and how many lines each video needs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.affwild2 import AffWild2
from harness.data.annotations import has_image_column, read_test_list
from harness.data.registry import open_dataset
from harness.inference.submission.file_format import IMAGE_COLUMN
from harness.inference.submission.frame_counts import count_lines
from harness.inference.submission.frame_sources import FrameCountSources, image_list, last_crops, line_sources
from harness.inference.submission.rows import Rows, read_image_list
from harness.utils.errors import InputError
from harness.utils.text import plural

EXACT = ("list of frames", "video file", "annotation")
"""Sources that say how many lines a file has; the last crop only says how many it has at least."""


@dataclass(frozen=True)
class Expected:
    """videos: names; lines: of each video whose number is known; least: the last crop of others.

    rows: the images of a list, None without one. list_name, said: what messages and the report call it.
    """

    videos: tuple[str, ...]
    list_name: str
    description: str
    rows: Rows | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    min_lines: Mapping[str, int] = field(default_factory=dict)


def expected_contents(against: Path, task: str, shape: str, split: str) -> Expected:
    """shape: one of `harness.inference.submission.files.SHAPES`; split: whose videos, where `against` is a data set.

    InputError for a list or data set that cannot be read or has no such list.
    """
    if not against.exists():
        raise InputError(f"no such list or data set: {against}")
    if against.is_file():
        return _of_list(against, shape)
    dataset = open_dataset(against)
    if not isinstance(dataset, AffWild2):
        raise InputError(f"{against}: submissions are of videos, but this is {dataset.layout}")
    members = dataset.sequence_names(task, split)
    listed = image_list(dataset, task, split, shape)
    where = f"the {split} split of {dataset.name}"
    if listed is not None:
        return Expected(members, where, f"{where}, {plural(len(members), 'video')}", read_image_list(listed))
    return _of_videos(dataset, task, split, members, where)


def _of_list(path: Path, shape: str) -> Expected:
    if not has_image_column(path):
        names = read_test_list(path)
        return Expected(
            names, path.name, f"{path}, {plural(len(names), 'video')}; their numbers of lines are not known"
        )
    rows = read_image_list(path)
    said = f"{path}, {len(rows):,} images of {plural(len(rows.videos), 'video')}"
    if shape == "videos":
        last = dict(zip(rows.videos, rows.last.tolist()))
        every = rows.header.lower().startswith(IMAGE_COLUMN)
        return Expected(rows.videos, path.name, said, lines=last if every else {}, min_lines=last)
    return Expected(rows.videos, path.name, said, rows)


def _of_videos(dataset: AffWild2, task: str, split: str, members: tuple[str, ...], where: str) -> Expected:
    sources, last = line_sources(dataset, task, split, FrameCountSources()), last_crops(dataset, members)
    known = [name for name in members if last[name] or sources.knows(name)]
    exact = {name: length.lines for name, length in count_lines(known, last, sources).items() if length.source in EXACT}
    rest = len(members) - len(exact)
    said = f"{where}, {plural(len(members), 'video')}" + (f"; of {rest} only the last crop is known" if rest else "")
    return Expected(members, where, said, lines=exact, min_lines=last)
