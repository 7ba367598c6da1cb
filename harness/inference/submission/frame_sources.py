"""What a data set says of the rows of a submission: lists of images, and where the lines of each video are counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.affwild2 import AffWild2
from harness.data.layouts import SPLITS
from harness.inference.submission.frame_counts import LineSources, read_line_counts
from harness.inference.submission.rows import read_image_list
from harness.video.video_files import find_videos


@dataclass(frozen=True)
class FrameCountSources:
    """Where frames are counted: a file of `video,frames` lines, and a folder of video files (default: videos/)."""

    frames: Path | None = None
    videos: Path | None = None


def line_sources(dataset: AffWild2, task: str, split: str, places: FrameCountSources) -> LineSources:
    """Every place that counts the lines of a split's videos.

    InputError for places that cannot be read.
    """
    videos = places.videos or dataset.root / "videos"
    return LineSources(
        read_line_counts(places.frames) if places.frames else {},
        find_videos(videos) if places.videos or videos.is_dir() else {},
        _annotated_lines(dataset, task, split),
        _listed_lines(dataset, task, split),
    )


def last_crops(dataset: AffWild2, names: Sequence[str]) -> dict[str, int]:
    """The frame number of each video's last crop, 0 without one."""
    return {name: int(frames[-1]) if len(frames := dataset.sequences[name].frames) else 0 for name in names}


def image_list(dataset: AffWild2, task: str, split: str, shape: str) -> Path | None:
    """The list whose images are the rows of such files, where there is one."""
    folders = dataset.folders
    if shape == "mtl":
        return folders.lists[task] if split == "test" else dataset.annotation_files(task, split)[0]
    return folders.frame_lists.get(task) if shape == "frames" and split == "test" else None


def _listed_lines(dataset: AffWild2, task: str, split: str) -> Mapping[str, int]:
    """Lines of each video by a list that names every frame of the test split."""
    listed = dataset.folders.frame_lists.get(task) if split == "test" else None
    if listed is None:
        return {}
    rows = read_image_list(listed)
    return dict(zip(rows.videos, rows.last.tolist()))


def _annotated_lines(dataset: AffWild2, task: str, split: str) -> Mapping[str, int]:
    """Lines of each video's annotation in a labelled split; none for the test split."""
    if split not in SPLITS:
        return {}
    labels = dataset.labels(task, split)
    last = np.zeros(len(labels.sequences), np.int64)
    np.maximum.at(last, labels.sequence, labels.frame)
    return dict(zip(labels.sequences, last.tolist()))
