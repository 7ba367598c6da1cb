"""Problems of an Aff-Wild2 folder beyond malformed labels, such as leaks, missing crops, extra lines and duplicates."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np

from backbones.regular_files import read_regular
from harness.data.affwild2_annotations import video_of
from harness.data.affwild2_paths import AffWild2Folders
from harness.data.annotation_formats import read_text
from harness.data.crop_checks import find_crop_problems, has_crop_error, names_in_other_case
from harness.data.crop_folders import source_video
from harness.data.dataset import Sequence
from harness.data.image_rows import has_image_column, read_image_rows
from harness.data.problems import ERROR, WARNING, Problem
from harness.utils.errors import InputError
from harness.utils.names import canonical_name
from harness.utils.text import plural

LAST_CROP_TOLERANCE = 1000
"""The last crop of a video is reported if its frame number exceeds twice the annotated length by more than this."""


class CheckableDataset(Protocol):
    """Attributes and methods of `AffWild2` that the checks use."""

    folders: AffWild2Folders

    @property
    def sequences(self) -> Mapping[str, Sequence]:
        """Sequences by name."""

    def tasks(self) -> tuple[str, ...]:
        """Return the tasks that have annotations."""

    def splits(self, task: str) -> tuple[str, ...]:
        """Return the annotated splits of a task."""

    @property
    def named_videos(self) -> Collection[str]:
        """Names of the videos in annotations and test lists."""

    def video_name(self, name: str) -> str:
        """Return the name of a video in `sequences`."""

    def task_splits(self) -> tuple[tuple[str, str], ...]:
        """Return all (task, split) pairs."""

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Return the videos of a split."""

    def annotation_files(self, task: str, split: str) -> tuple[Path, ...]:
        """Return the annotation files of a split."""


def find_problems(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Yield problems other than malformed labels.

    Parameters
    ----------
    dataset : AffWild2
    crops : mapping of str to int array
        Frame numbers with a readable crop, by video.

    Yields
    ------
    Problem
    """
    yield from dataset.folders.problems
    for task in dataset.tasks():
        yield from find_leaks(dataset, task)
    yield from _unreadable_lists(dataset)
    yield from _videos_without_crops(dataset, crops)
    yield from _extra_lines(dataset, crops)
    yield from _far_crops(dataset, crops)
    for split in dataset.splits("mtl"):
        yield from _duplicate_rows(dataset.annotation_files("mtl", split)[0])
    yield from find_crop_problems(dataset.folders.crops, dataset.sequences)


def _find_source_line(dataset: CheckableDataset, task: str, split: str, video: str) -> tuple[Path, int | None]:
    """Return the file that names a video and, for a test list or an MTL file, the first line that does."""
    test_list = dataset.folders.lists[task] if split == "test" else None
    if test_list is not None and not has_image_column(test_list):
        lines = [canonical_name(line.strip()) for line in read_text(test_list).split("\n")]
        return test_list, lines.index(canonical_name(video)) + 1
    if test_list is not None or task == "mtl":
        path = test_list or dataset.annotation_files(task, split)[0]
        rows = read_image_rows(path)
        number = [dataset.video_name(name) for name in rows.videos].index(video)
        return path, int(np.argmax(rows.index == number)) + 2
    files = dataset.annotation_files(task, split)
    return next(path for path in files if dataset.video_name(video_of(path)) == video), None


def _readable_sequence_names(dataset: CheckableDataset, task: str, split: str) -> tuple[str, ...]:
    """Return the videos of a split; empty if the file of the split is malformed."""
    try:
        return dataset.sequence_names(task, split)
    except InputError:
        return ()


def _unreadable_lists(dataset: CheckableDataset) -> Iterator[Problem]:
    for task, path in dataset.folders.lists.items():
        if (task, "test") in dataset.folders.conflicts:
            yield from dataset.folders.conflicts[task, "test"]
            continue
        try:
            dataset.sequence_names(task, "test")
        except InputError as error:
            yield Problem(ERROR, "test list", str(error).removeprefix(f"{path}: "), path)


def find_leaks(dataset: CheckableDataset, task: str) -> Iterator[Problem]:
    """Yield an error for each video in two splits of a task, and a warning if two splits have parts of one video."""
    splits = [*dataset.splits(task), *(["test"] if task in dataset.folders.lists else [])]
    members = {split: _readable_sequence_names(dataset, task, split) for split in splits}
    for first, second in combinations(splits, 2):
        shared = sorted(set(members[first]) & set(members[second]))
        for video in shared:
            message = f"video '{video}' is in both {first} and {second} of task {task}; remove it from one"
            yield Problem(ERROR, "leak", message, *_find_source_line(dataset, task, second, video))
        sources = {source_video(name): name for name in members[first]}
        for video in sorted(set(members[second]) - set(shared)):
            sibling = sources.get(source_video(video))
            if sibling is not None and sibling not in members[second]:
                message = (
                    f"'{video}' ({second} of task {task}) and '{sibling}' ({first}) were cut from the same video, "
                    "so they share its background"
                )
                yield Problem(WARNING, "shared video", message, *_find_source_line(dataset, task, second, video))


def _videos_without_crops(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Yield one problem for each video without crops, located at the first file that names the video."""
    seen: set[str] = set()
    where = ", ".join(f"{folder.relative_to(dataset.folders.root)}/" for folder in dataset.folders.crops.folders)
    other_case = names_in_other_case(dataset.folders.crops, dataset.named_videos)
    for task, split in dataset.task_splits():
        for video in _readable_sequence_names(dataset, task, split):
            if video not in seen and not len(crops[video]) and not has_crop_error(dataset.folders.crops, video):
                seen.add(video)
                message = f"video '{video}' has no crop in {where}; none of its frames can be used"
                if video in other_case:
                    message += f"; did you mean '{other_case[video]}'?"
                yield Problem(WARNING, "no crop", message, *_find_source_line(dataset, task, split, video))


def _extra_lines(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Yield a problem for each video that has annotated lines after its last crop.

    Tasks with the same number of such lines are named in one problem.
    """
    files_by_excess: dict[tuple[str, int], list[tuple[str, Path]]] = {}
    for (task, _), files in dataset.folders.files.items():
        for path in files if task != "mtl" else ():
            video = dataset.video_name(video_of(path))
            last_frame = crops[video][-1:]
            extra = _count_lines(path) - int(last_frame.sum())
            if len(last_frame) and extra > 0:
                files_by_excess.setdefault((video, extra), []).append((task, path))
    for (video, extra), task_files in files_by_excess.items():
        last = int(crops[video][-1])
        tasks = f" (tasks {', '.join(task for task, _ in task_files)})" if len(task_files) > 1 else ""
        message = f"{plural(extra, 'line', 'd')} after the last crop, which is frame {last}{tasks}"
        yield Problem(WARNING, "extra lines", message, task_files[0][1], last + 2)


def _far_crops(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Yield a problem for each video whose last crop is far beyond the annotations, such as an image named by date."""
    for video, end in _annotated_lengths(dataset).items():
        last = int(crops[video][-1]) if len(crops[video]) else 0
        if last > 2 * end + LAST_CROP_TOLERANCE:
            sequence = dataset.sequences[video]
            image = sequence.images[int(np.searchsorted(sequence.frames, last))]
            message = (
                f"the last crop is frame {last:,}, but the annotations of '{video}' end at frame {end:,}; "
                "remove it if its name is not a frame number"
            )
            yield Problem(WARNING, "last crop", message, image)


def _annotated_lengths(dataset: CheckableDataset) -> dict[str, int]:
    """Return the last annotated frame of each video over all its annotation files."""
    lengths: dict[str, int] = {}
    for (task, split), files in dataset.folders.files.items():
        for path in files if task != "mtl" else ():
            video = dataset.video_name(video_of(path))
            lengths[video] = max(lengths.get(video, 0), _count_lines(path))
        if task == "mtl" and _readable_sequence_names(dataset, task, split):
            rows = read_image_rows(files[0])
            last = np.zeros(len(rows.videos), np.int64)
            np.maximum.at(last, rows.index, rows.frame)
            for video, frame in zip(map(dataset.video_name, rows.videos), last.tolist()):
                lengths[video] = max(lengths.get(video, 0), frame)
    return lengths


def _count_lines(path: Path) -> int:
    """Count the lines after the header; 0 if the file cannot be read."""
    try:
        return read_regular(path).rstrip().count(b"\n")
    except OSError:
        return 0


def _duplicate_rows(path: Path) -> Iterator[Problem]:
    try:
        rows = read_image_rows(path)
    except InputError:
        return
    image = rows.index.astype(np.int64) << 32 | rows.frame
    _, first, inverse = np.unique(image, return_index=True, return_inverse=True)
    for row in np.flatnonzero(first[inverse] != np.arange(len(image))):
        name = f"{rows.videos[rows.index[row]]}/{rows.frame[row]:05d}"
        message = f"{name} is already on line {first[inverse][row] + 2}; it counts twice, as in the challenge"
        yield Problem(WARNING, "duplicate row", message, path, int(row) + 2)
