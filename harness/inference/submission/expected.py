"""Expected contents of a submission: the videos or images of a list, and the number of lines of each video."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.data.affwild2 import AffWild2
from harness.data.image_rows import has_image_column, read_test_list
from harness.data.registry import open_dataset
from harness.inference.submission.file_format import IMAGE_COLUMN
from harness.inference.submission.frame_counts import count_lines
from harness.inference.submission.frame_sources import FrameCountSources, image_list, last_crops, line_sources
from harness.inference.submission.rows import Rows, read_image_list
from harness.utils.errors import InputError
from harness.utils.names import canonical_name
from harness.utils.text import plural

EXACT = ("list of frames", "video file", "annotation")
"""Sources of the exact number of lines; the last crop gives only a lower bound."""


@dataclass(frozen=True)
class Expected:
    """Expected contents; video names are in canonical form, see `canonical_name`.

    Attributes
    ----------
    videos : tuple of str
    list_name : str
        Name of the list or split, for messages.
    description : str
        Description of the list or split, for the report.
    rows : Rows or None
        Images that need predictions; None if only videos and numbers of lines are compared.
    lines : mapping of str to int
        Exact number of lines of each video; videos whose number is unknown are left out.
    min_lines : mapping of str to int
        For each video: frame number of its last crop or, with a list of images, of its last image.
    """

    videos: tuple[str, ...]
    list_name: str
    description: str
    rows: Rows | None = None
    lines: Mapping[str, int] = field(default_factory=dict)
    min_lines: Mapping[str, int] = field(default_factory=dict)


def expected_contents(against: Path, task: str, shape: str, split: str) -> Expected:
    """Determine what a submission must contain.

    Parameters
    ----------
    against : Path
        A test list or a dataset.
    task : str
    shape : str
        See `harness.inference.submission.files.shape_of`.
    split : str
        Split of the dataset.

    Raises
    ------
    InputError
        If the list or dataset cannot be read, the dataset is not in the Aff-Wild2 layout or has no such split or list,
        or the number of lines of a video is too small for its crops.
    """
    if not against.exists():
        raise InputError(f"{against} does not exist; pass a test list or the folder of a dataset")
    expected = _of_list(against, shape) if against.is_file() else _of_dataset(against, task, shape, split)
    videos = tuple(map(canonical_name, expected.videos))
    lines, min_lines = _with_canonical_names(expected.lines), _with_canonical_names(expected.min_lines)
    return replace(expected, videos=videos, lines=lines, min_lines=min_lines)


def _with_canonical_names(lines: Mapping[str, int]) -> dict[str, int]:
    return {canonical_name(video): number for video, number in lines.items()}


def _of_dataset(against: Path, task: str, shape: str, split: str) -> Expected:
    dataset = open_dataset(against)
    if not isinstance(dataset, AffWild2):
        raise InputError(
            f"{against}: submissions need a dataset in the layout of Aff-Wild2, but this is {dataset.layout}; pass "
            "such a dataset or a test list"
        )
    videos = dataset.sequence_names(task, split)
    list_path = image_list(dataset, task, split, shape)
    name = f"the {split} split of {dataset.name}"
    if list_path is not None:
        return Expected(videos, name, f"{name}, {plural(len(videos), 'video')}", read_image_list(list_path))
    return _of_videos(dataset, task, split, videos, name)


def _of_list(path: Path, shape: str) -> Expected:
    if not has_image_column(path):
        names = read_test_list(path)
        return Expected(names, path.name, f"{path}, {plural(len(names), 'video')}; their numbers of lines are unknown")
    rows = read_image_list(path)
    description = f"{path}, {len(rows):,} images of {plural(len(rows.videos), 'video')}"
    if shape == "videos":
        last = dict(zip(rows.videos, rows.last.tolist()))
        has_every_frame = rows.header.lower().startswith(IMAGE_COLUMN)
        return Expected(rows.videos, path.name, description, lines=last if has_every_frame else {}, min_lines=last)
    return Expected(rows.videos, path.name, description, rows)


def _of_videos(dataset: AffWild2, task: str, split: str, videos: tuple[str, ...], name: str) -> Expected:
    sources, last = line_sources(dataset, task, split, FrameCountSources()), last_crops(dataset, videos)
    countable = [video for video in videos if last[video] or sources.knows(video)]
    counts = count_lines(countable, last, sources)
    exact = {video: count.lines for video, count in counts.items() if count.source in EXACT}
    rest = len(videos) - len(exact)
    description = f"{name}, {plural(len(videos), 'video')}" + (
        f"; only the last crop is known for {rest} of them" if rest else ""
    )
    return Expected(videos, name, description, lines=exact, min_lines=last)
