"""Aff-Wild2 as released for the third ABAW challenge: folders of crops, a label file per video and task."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from harness.data import affwild2_checks, affwild2_paths, annotations
from harness.data.affwild2_paths import CROP_PATTERN, source_video
from harness.data.dataset import Labels, Sequence
from harness.data.layouts import SPLITS, VideoLayout
from harness.data.problems import ERROR, Problem
from harness.metrics.tasks import ACTION_UNITS, TASKS, get_task
from harness.utils.errors import InputError, unknown_name_error

EMPTY_TARGETS = {
    "expr": np.zeros(0, np.int64),
    "va": np.zeros((0, 2), np.float32),
    "au": np.zeros((0, len(ACTION_UNITS)), np.int8),
}


class CropFolders(Mapping[str, Sequence]):
    """The sequences of a folder of crop folders; each is scanned when asked for and not kept.

    A name without a folder of its own is a sequence of no frames. InputError for a crop of frame 0.
    """

    def __init__(self, folder: Path, names: tuple[str, ...]):
        self.folder, self.names = folder, dict.fromkeys(names)

    def __getitem__(self, name: str) -> Sequence:
        if name not in self.names:
            raise KeyError(name)
        try:
            found = sorted(
                {
                    int(match[1]): file
                    for file in sorted(os.listdir(self.folder / name), reverse=True)
                    if (match := CROP_PATTERN.fullmatch(file))
                }.items()
            )
        except (FileNotFoundError, NotADirectoryError):
            found = []
        images = tuple(self.folder / name / file for _, file in found)
        if found and found[0][0] == 0:
            raise Problem(ERROR, "frame number", affwild2_paths.FRAME_ZERO, images[0]).to_exception()
        return Sequence(name, np.array([frame for frame, _ in found], dtype=np.int32), images)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


class AffWild2(VideoLayout):
    """Units are videos; `_left` and `_right` of one video share a group. Crops may be missing for any frame.

    Without annotations there is no task and no labelled split, and the videos of the test lists can be predicted.
    """

    layout = "Aff-Wild2 in the ABAW3 layout (cropped/ or cropped_aligned/, Third ABAW Annotations/ or test lists)"
    noun = "video"
    temporal = True

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = self.root.resolve().name
        self.folders = affwild2_paths.locate_folders(self.root)

    @classmethod
    def detect(cls, root: Path) -> bool:
        return root.is_dir() and affwild2_paths.has_release_layout(root)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        return cls(root)

    @cached_property
    def sequences(self) -> Mapping[str, Sequence]:
        """Every crop folder and every video that a sound annotation or test list names, sorted by name."""
        names = set(self.crop_folders)
        for task, split in self.task_splits():
            with suppress(InputError):
                names.update(self.sequence_names(task, split))
        return CropFolders(self.folders.crops, tuple(sorted(names)))

    @cached_property
    def crop_folders(self) -> tuple[str, ...]:
        with os.scandir(self.folders.crops) as entries:
            return tuple(sorted(e.name for e in entries if e.is_dir() and not e.name.startswith(".")))

    def task_splits(self) -> tuple[tuple[str, str], ...]:
        """Every (task, split) there is, test lists last."""
        return *self.folders.files, *((task, "test") for task in self.folders.lists)

    def tasks(self) -> tuple[str, ...]:
        return tuple(name for name in TASKS if self.splits(name))

    def splits(self, task: str) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if (get_task(task).name, split) in self.folders.files)

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        if split == "test":
            if get_task(task).name not in self.folders.lists:
                wanted = affwild2_paths.CHALLENGES[task][1]
                raise InputError(f"{self.root}: no test list of task '{task}'; put {wanted} there")
            return annotations.read_test_videos(self.folders.lists[task])
        files = self.annotation_files(task, split)
        return annotations.read_image_rows(files[0]).videos if task == "mtl" else tuple(path.stem for path in files)

    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        with suppress(InputError):
            return self.sequence_names(task, "test")
        return ()

    def annotation_files(self, task: str, split: str) -> tuple[Path, ...]:
        """The annotation files of a split; one alone for `mtl`."""
        if not self.splits(task):
            have = ", ".join(self.tasks()) or "none"
            raise InputError(f"{self.root}: no annotations of task '{task}'; it has {have}")
        if split not in self.splits(task):
            raise unknown_name_error(f"split of task '{task}' in {self.root}", split, self.splits(task))
        return self.folders.files[task, split]

    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        files = self.annotation_files(task, split)
        rows = (
            self._read_multitask_labels(files[0], problems)
            if task == "mtl"
            else self._read_frame_labels(files, task, problems)
        )
        videos, index, frame, targets = rows
        return Labels(videos, index, frame, videos, index, tuple(source_video(name) for name in videos), targets)

    def labels_digest(self, task: str, split: str) -> str:
        hashed = hashlib.sha256()
        for path in self.annotation_files(task, split):
            content = path.read_bytes()
            hashed.update(f"{path.name}\0{len(content)}\0".encode())
            hashed.update(content)
        return hashed.hexdigest()

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        return affwild2_checks.find_problems(self, crops)

    def summary(self) -> tuple[tuple[str, str], ...]:
        def describe_location(folder: Path | None) -> str:
            if folder is None:
                return "none: nothing to train on or to score; `framelight submit` predicts the test lists"
            return "in the folder itself" if folder == self.root else f"{folder.relative_to(self.root)}/"

        lists = {path.parent: [] for path in self.folders.lists.values()}
        for task, path in self.folders.lists.items():
            lists[path.parent].append(task)
        return (
            ("crops", f"{self.folders.crops.name}/, {len(self.crop_folders):,} folders"),
            ("annotations", describe_location(self.folders.annotations)),
            *(("test lists", f"{', '.join(tasks)}: {describe_location(folder)}") for folder, tasks in lists.items()),
        )

    def _read_frame_labels(self, files: tuple[Path, ...], task: str, problems: list[Problem] | None) -> tuple:
        names, parts = [], []
        for path in files:
            try:
                parts.append(annotations.read_frames(path, task))
                names.append(path.stem)
            except InputError:
                if problems is None:
                    raise
                problems.extend(annotations.frame_faults(path, task))
        lengths = [len(part) for part in parts]
        index = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
        frame = np.concatenate([np.zeros(0, np.int32), *(np.arange(1, n + 1, dtype=np.int32) for n in lengths)])
        return tuple(names), index, frame, {task: np.concatenate([EMPTY_TARGETS[task], *parts])}

    def _read_multitask_labels(self, path: Path, problems: list[Problem] | None) -> tuple:
        try:
            rows, targets = annotations.read_multitask(path)
        except InputError:
            if problems is None:
                raise
            problems.extend(annotations.multitask_faults(path))
            return (), np.zeros(0, np.int32), np.zeros(0, np.int32), EMPTY_TARGETS
        return rows.videos, rows.index, rows.frame, targets
