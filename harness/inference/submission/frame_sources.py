"""Find in a dataset what determines the rows of a submission: lists of images, and numbers of lines of videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from harness.data.affwild2 import AffWild2
from harness.data.layouts import SPLITS
from harness.inference.submission.frame_counts import LineSources, read_line_counts
from harness.inference.submission.rows import Rows, read_image_list
from harness.video.video_files import find_videos


@dataclass(frozen=True)
class FrameCountSources:
    """Sources of frame counts that the user names.

    Attributes
    ----------
    frames : Path or None
        File of `video,frames` lines.
    videos : Path or None
        Folder of video files. Default: `videos` in the dataset.
    """

    frames: Path | None = None
    videos: Path | None = None


def line_sources(dataset: AffWild2, task: str, split: str, count_sources: FrameCountSources) -> LineSources:
    """Collect all sources of line counts for the videos of a split; raise InputError if a source cannot be read."""
    videos = count_sources.videos or dataset.root / "videos"
    return LineSources(
        read_line_counts(count_sources.frames) if count_sources.frames else {},
        find_videos(videos) if count_sources.videos or videos.is_dir() else {},
        _annotated_lines(dataset, task, split),
        _listed_lines(dataset, task, split),
    )


def last_crops(dataset: AffWild2, names: Sequence[str]) -> dict[str, int]:
    """Get the frame number of the last crop of each video; 0 for a video without crops."""
    return {name: int(frames[-1]) if len(frames := dataset.sequences[name].frames) else 0 for name in names}


def image_list(dataset: AffWild2, task: str, split: str, shape: str) -> Path | None:
    """Find the list of images that defines the rows of a file of this shape; None if there is no such list."""
    folders = dataset.folders
    if shape == "mtl":
        return folders.lists[task] if split == "test" else dataset.annotation_files(task, split)[0]
    return folders.frame_lists.get(task) if shape == "frames" and split == "test" else None


def read_dataset_list(dataset: AffWild2, path: Path) -> Rows:
    """Read a list of images and replace its video names by those in the dataset, whose Unicode form may differ."""
    rows = read_image_list(path)
    return replace(rows, videos=tuple(map(dataset.video_name, rows.videos)))


def _listed_lines(dataset: AffWild2, task: str, split: str) -> Mapping[str, int]:
    """Count the lines of each video in the list of all frames of the test split; empty without such a list."""
    path = dataset.folders.frame_lists.get(task) if split == "test" else None
    if path is None:
        return {}
    rows = read_dataset_list(dataset, path)
    return dict(zip(rows.videos, rows.last.tolist()))


def _annotated_lines(dataset: AffWild2, task: str, split: str) -> Mapping[str, int]:
    """Count the lines of each video's annotation in a labeled split; empty for the test split."""
    if split not in SPLITS:
        return {}
    labels = dataset.labels(task, split)
    last = np.zeros(len(labels.sequences), np.int64)
    np.maximum.at(last, labels.sequence, labels.frame)
    return dict(zip(labels.sequences, last.tolist()))
