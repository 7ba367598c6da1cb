"""Faults of an Aff-Wild2 folder that no single label file shows: leaks, missing crops, extra lines, duplicates."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from itertools import combinations
from pathlib import Path
from typing import Protocol

import numpy as np

from harness.data import annotations
from harness.data.affwild2_paths import CROP_PATTERN, FRAME_ZERO, AffWild2Folders, source_video
from harness.data.dataset import Sequence
from harness.data.problems import ERROR, WARNING, Problem
from harness.utils.errors import InputError
from harness.utils.text import plural

LAST_CROP_TOLERANCE = 1000
"""Frames by which a last crop may lie past twice the annotated length before it is taken for a stray file."""


class CheckableDataset(Protocol):
    """What is asked of the data set under inspection."""

    folders: AffWild2Folders
    crop_folders: tuple[str, ...]
    sequences: Mapping[str, Sequence]

    def tasks(self) -> tuple[str, ...]: ...

    def splits(self, task: str) -> tuple[str, ...]: ...

    def task_splits(self) -> tuple[tuple[str, str], ...]: ...

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]: ...

    def annotation_files(self, task: str, split: str) -> tuple[Path, ...]: ...


def find_problems(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    for task in dataset.tasks():
        yield from _find_leaks(dataset, task)
    yield from _unreadable_lists(dataset)
    yield from _videos_without_crops(dataset, crops)
    yield from _extra_lines(dataset, crops)
    yield from _far_crops(dataset, crops)
    for split in dataset.splits("mtl"):
        yield from _duplicate_rows(dataset.annotation_files("mtl", split)[0])
    yield from _unexpected_file_names(dataset)


def _find_source_line(dataset: CheckableDataset, task: str, split: str, video: str) -> tuple[Path, int | None]:
    """The file, and in an MTL file the first line, that names a video."""
    listed = dataset.folders.lists[task] if split == "test" else None
    if listed is not None and not annotations.has_image_column(listed):
        lines = [line.strip() for line in annotations.read_text(listed).splitlines()]
        return listed, lines.index(video) + 1
    if listed is not None or task == "mtl":
        path = listed or dataset.annotation_files(task, split)[0]
        rows = annotations.read_image_rows(path)
        return path, int(np.argmax(rows.index == rows.videos.index(video))) + 2
    return next(path for path in dataset.annotation_files(task, split) if path.stem == video), None


def _readable_sequence_names(dataset: CheckableDataset, task: str, split: str) -> tuple[str, ...]:
    """Names of a split, none where its file is malformed (which is listed on its own)."""
    try:
        return dataset.sequence_names(task, split)
    except InputError:
        return ()


def _unreadable_lists(dataset: CheckableDataset) -> Iterator[Problem]:
    for task, path in dataset.folders.lists.items():
        try:
            dataset.sequence_names(task, "test")
        except InputError as error:
            yield Problem(ERROR, "test list", str(error).removeprefix(f"{path}: "), path)


def _find_leaks(dataset: CheckableDataset, task: str) -> Iterator[Problem]:
    splits = [*dataset.splits(task), *(["test"] if task in dataset.folders.lists else [])]
    members = {split: _readable_sequence_names(dataset, task, split) for split in splits}
    for first, second in combinations(splits, 2):
        shared = sorted(set(members[first]) & set(members[second]))
        for video in shared:
            message = f"video '{video}' is in both {first} and {second} of task {task}; take it out of one"
            yield Problem(ERROR, "leak", message, *_find_source_line(dataset, task, second, video))
        sources = {source_video(name): name for name in members[first]}
        for video in sorted(set(members[second]) - set(shared)):
            other = sources.get(source_video(video))
            if other is not None and other not in members[second]:
                message = (
                    f"'{video}' ({second} of task {task}) and '{other}' ({first}) were cut from one video; "
                    "their backgrounds are the same"
                )
                yield Problem(WARNING, "shared video", message, *_find_source_line(dataset, task, second, video))


def _videos_without_crops(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Each video once, at the first file that names it."""
    seen = set()
    for task, split in dataset.task_splits():
        for video in _readable_sequence_names(dataset, task, split):
            if video not in seen and not len(crops[video]) and not _frame_zero_crops(dataset, video):
                seen.add(video)
                folder = dataset.folders.crops.name
                message = f"video '{video}' has no crop in {folder}/; none of its frames can be used"
                yield Problem(WARNING, "no crop", message, *_find_source_line(dataset, task, split, video))


def _extra_lines(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """Each video once, at its first file; the message names the tasks whose files have as many extra lines."""
    found: dict[tuple[str, int], list[tuple[str, Path]]] = {}
    for (task, _), files in dataset.folders.files.items():
        for path in files if task != "mtl" else ():
            last = crops[path.stem][-1:]
            extra = _count_lines(path) - int(last.sum())
            if len(last) and extra > 0:
                found.setdefault((path.stem, extra), []).append((task, path))
    for (video, extra), same in found.items():
        last = int(crops[video][-1])
        tasks = f" (tasks {', '.join(task for task, _ in same)})" if len(same) > 1 else ""
        message = f"{plural(extra, 'line', 'd')} past the last crop, that of frame {last}{tasks}"
        yield Problem(WARNING, "extra lines", message, same[0][1], last + 2)


def _far_crops(dataset: CheckableDataset, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
    """A last crop at more than twice the annotated length, as a file named by a date is."""
    for video, end in _annotated_lengths(dataset).items():
        last = int(crops[video][-1]) if len(crops[video]) else 0
        if last > 2 * end + LAST_CROP_TOLERANCE:
            sequence = dataset.sequences[video]
            image = sequence.images[int(np.searchsorted(sequence.frames, last))]
            message = (
                f"the last crop is of frame {last:,}, but the annotations of '{video}' end at frame {end:,}; "
                "take it out if its name is no frame number"
            )
            yield Problem(WARNING, "last crop", message, image)


def _annotated_lengths(dataset: CheckableDataset) -> dict[str, int]:
    """The last frame that any file annotates, by video."""
    lengths: dict[str, int] = {}
    for (task, split), files in dataset.folders.files.items():
        for path in files if task != "mtl" else ():
            lengths[path.stem] = max(lengths.get(path.stem, 0), _count_lines(path))
        if task == "mtl" and _readable_sequence_names(dataset, task, split):
            rows = annotations.read_image_rows(files[0])
            last = np.zeros(len(rows.videos), np.int64)
            np.maximum.at(last, rows.index, rows.frame)
            for video, frame in zip(rows.videos, last.tolist()):
                lengths[video] = max(lengths.get(video, 0), frame)
    return lengths


def _count_lines(path: Path) -> int:
    """Lines after the header."""
    return path.read_bytes().rstrip().count(b"\n")


def _duplicate_rows(path: Path) -> Iterator[Problem]:
    try:
        rows = annotations.read_image_rows(path)
    except InputError:
        return
    image = rows.index.astype(np.int64) << 32 | rows.frame
    _, first, inverse = np.unique(image, return_index=True, return_inverse=True)
    for row in np.flatnonzero(first[inverse] != np.arange(len(image))):
        name = f"{rows.videos[rows.index[row]]}/{rows.frame[row]:05d}"
        message = f"{name} was listed before, on line {first[inverse][row] + 2}; it counts twice, as in the challenge"
        yield Problem(WARNING, "duplicate row", message, path, int(row) + 2)


def _frame_zero_crops(dataset: CheckableDataset, video: str) -> list[str]:
    """Names of the crops for which the reader refuses the video."""
    try:
        files = sorted(os.listdir(dataset.folders.crops / video))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [file for file in files if (match := CROP_PATTERN.fullmatch(file)) and int(match[1]) == 0]


def _unexpected_file_names(dataset: CheckableDataset) -> Iterator[Problem]:
    for name in dataset.crop_folders:
        folder = dataset.folders.crops / name
        files = sorted(file for file in os.listdir(folder) if not file.startswith("."))
        strange = [file for file in files if not CROP_PATTERN.fullmatch(file)]
        if strange:
            message = f"{len(strange)} not named by a frame number, such as 00001.jpg; left out"
            yield Problem(WARNING, "file name", message, folder / strange[0])
        for zero in _frame_zero_crops(dataset, name)[:1]:
            yield Problem(ERROR, "frame number", f"{FRAME_ZERO}; '{name}' is not counted here", folder / zero)
        if len(files) - len(strange) > len(
            {int(match[1]) for file in files if (match := CROP_PATTERN.fullmatch(file))}
        ):
            yield Problem(WARNING, "file name", "two files of one frame; the first by name is taken", folder)
