"""Aff-Wild2 as released for the ABAW challenges: folders of crops, and a label file for each video and task.

The multi-task challenge (MTL) has one label file for each split instead.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from backbones.regular_files import read_regular
from harness.data import affwild2_checks, affwild2_paths
from harness.data.affwild2_annotations import video_of
from harness.data.affwild2_names import TEST_LISTS
from harness.data.annotation_faults import frame_faults, multitask_faults
from harness.data.annotations import read_frames, read_multitask
from harness.data.crop_checks import find_crop_problems, find_misnamed_crops, find_second_folders
from harness.data.crop_folders import CropFolders, source_video
from harness.data.crop_search import ONLY_UNREAD
from harness.data.dataset import Labels, Sequence
from harness.data.image_rows import read_image_rows, read_test_videos
from harness.data.layouts import SPLITS, VideoLayout, folder_name
from harness.data.problems import ERROR, Problem, first_error, select_errors
from harness.metrics.tasks import ACTION_UNITS, TASKS, get_task
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.names import canonical_name, name_bytes

EMPTY_TARGETS = {
    "expr": np.zeros(0, np.int64),
    "va": np.zeros((0, 2), np.float32),
    "au": np.zeros((0, len(ACTION_UNITS)), np.int8),
}


class AffWild2(VideoLayout):
    """Aff-Wild2 in the layout of the third to tenth ABAW challenges.

    The units that are split and resampled are videos; `_left` and `_right` of one video share a group, which a split
    never divides. Crops may be missing for any frame. Without annotations there is no task and no labeled split, but
    the videos of the test lists can be predicted.

    Parameters
    ----------
    root : Path
    """

    layout = "Aff-Wild2 since the third ABAW challenge (cropped/ or cropped_aligned/, annotations or test lists)"
    noun = "video"
    temporal = True

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = folder_name(self.root)
        self.folders = affwild2_paths.locate_folders(self.root)

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` has annotations, or crops and test lists."""
        return root.is_dir() and affwild2_paths.has_release_layout(root)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is not used."""
        return cls(root)

    @cached_property
    def sequences(self) -> Mapping[str, Sequence]:  # type: ignore[override]
        """Sequences of all crop folders and of all videos named by valid annotations or test lists, sorted by name."""
        return CropFolders(self.folders.crops, tuple(sorted({*self.crop_folders, *self.named_videos})))

    @cached_property
    def named_videos(self) -> frozenset[str]:
        """Names of the videos in valid annotations and test lists."""
        names: set[str] = set()
        for task, split in self.task_splits():
            with suppress(InputError):
                names.update(self.sequence_names(task, split))
        return frozenset(names)

    @cached_property
    def crop_folders(self) -> tuple[str, ...]:
        """Names of the videos that have a folder of crops, sorted."""
        return tuple(sorted(self.folders.crops.videos))

    def video_name(self, name: str) -> str:
        """Return the name of a video as spelled in `sequences`; spellings can differ in their Unicode form."""
        return name if name.isascii() else self._names.get(canonical_name(name), name)

    @cached_property
    def _names(self) -> Mapping[str, str]:
        """Spelling of non-ASCII video names by canonical name: as in crop folders, else annotations, else lists."""
        names = {canonical_name(name): name for name in self.crop_folders if not name.isascii()}
        lists = list(self.folders.lists.values())
        for (task, _), files in self.folders.files.items():
            if task == "mtl":
                lists[:0] = files
            else:
                for name in map(video_of, files):
                    names.setdefault(canonical_name(name), name)
        for path in lists:
            with suppress(InputError):
                for name in read_test_videos(path):
                    names.setdefault(canonical_name(name), name)
        return names

    def task_splits(self) -> tuple[tuple[str, str], ...]:
        """Return all (task, split) pairs, test lists last."""
        return *self.folders.files, *((task, "test") for task in self.folders.lists)

    def tasks(self) -> tuple[str, ...]:
        """Return the tasks that have annotations."""
        return tuple(name for name in TASKS if self.splits(name))

    def splits(self, task: str) -> tuple[str, ...]:
        """Return the annotated splits of a task."""
        return tuple(split for split in SPLITS if (get_task(task).name, split) in self.folders.files)

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Return the videos of a split, which may be `test`, without parsing labels."""
        if split == "test":
            if get_task(task).name not in self.folders.lists:
                raise InputError(f"{self.root}: no test list of task '{task}'; put {TEST_LISTS[task]} there")
            self._require_no_conflict(task, split)
            return tuple(map(self.video_name, read_test_videos(self.folders.lists[task])))
        files = self.annotation_files(task, split)
        written = read_image_rows(files[0]).videos if task == "mtl" else map(video_of, files)
        return tuple(map(self.video_name, written))

    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        """Return the videos of the test list of a task; an empty tuple if there is no valid list."""
        with suppress(InputError):
            return self.sequence_names(task, "test")
        return ()

    def annotation_files(self, task: str, split: str) -> tuple[Path, ...]:
        """Return the annotation files of a split, one per video; for `mtl` a single file."""
        if not self.splits(task):
            available = ", ".join(self.tasks()) or "none"
            raise InputError(f"{self.root}: no annotations of task '{task}'; available: {available}")
        if split not in self.splits(task):
            raise unknown_name_error(f"split of task '{task}' in {self.root}", split, self.splits(task))
        return self.folders.files[task, split]

    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        """Return the rows of the annotation files of a split."""
        files = self.annotation_files(task, split)
        if problems is None:
            self._require_no_conflict(task, split)
        else:
            problems.extend(self.folders.conflicts.get((task, split), ()))
        rows = (
            self._read_multitask_labels(files[0], problems)
            if task == "mtl"
            else self._read_frame_labels(files, task, problems)
        )
        written, index, frame, targets = rows
        videos = tuple(map(self.video_name, written))
        return Labels(videos, index, frame, videos, index, tuple(source_video(name) for name in videos), targets)

    def labels_digest(self, task: str, split: str) -> str:
        """Return a hash of the names and bytes of the annotation files."""
        hashed = hashlib.sha256()
        for path in self.annotation_files(task, split):
            content = read_regular(path)
            hashed.update(name_bytes(f"{path.name}\0{len(content)}\0"))
            hashed.update(content)
        return hashed.hexdigest()

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Yield problems other than malformed labels; see `affwild2_checks.find_problems`."""
        return affwild2_checks.find_problems(self, crops)

    def find_errors(self, task: str) -> Iterator[Problem]:
        """Yield errors of the folders, the splits of a task and the crops."""
        yield from select_errors((*self.folders.problems, *affwild2_checks.find_leaks(self, task)))
        yield from self._crop_errors

    @cached_property
    def _crop_errors(self) -> tuple[Problem, ...]:
        return tuple(select_errors(find_crop_problems(self.folders.crops, self.sequences)))

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the locations of crops, annotations and test lists, and the entries that are not read."""
        return affwild2_paths.summarize(self.folders)

    def notices(self) -> tuple[str, ...]:
        """Return sentences about videos whose crops are not read, misnamed, or different in a second folder."""
        crops = self.folders.crops
        notices = [f"{problem.file}: {problem.message}" for problem in crops.problems if problem.kind == ONLY_UNREAD]
        conflicts = [problem for problem in find_second_folders(crops) if problem.severity == ERROR]
        if conflicts:
            notices.append(str(first_error(conflicts)))
        return *notices, *find_misnamed_crops(crops, self.named_videos)

    def _require_no_conflict(self, task: str, split: str) -> None:
        for problem in self.folders.conflicts.get((task, split), ()):
            raise problem.to_exception()

    def _read_frame_labels(self, files: tuple[Path, ...], task: str, problems: list[Problem] | None) -> tuple:
        names, parts = [], []
        for path in files:
            try:
                parts.append(read_frames(path, task))
                names.append(video_of(path))
            except InputError:
                if problems is None:
                    raise
                problems.extend(frame_faults(path, task))
        lengths = [len(part) for part in parts]
        index = np.repeat(np.arange(len(parts), dtype=np.int32), lengths)
        frame = np.concatenate([np.zeros(0, np.int32), *(np.arange(1, n + 1, dtype=np.int32) for n in lengths)])
        return tuple(names), index, frame, {task: np.concatenate([EMPTY_TARGETS[task], *parts])}

    def _read_multitask_labels(self, path: Path, problems: list[Problem] | None) -> tuple:
        try:
            rows, targets = read_multitask(path)
        except InputError:
            if problems is None:
                raise
            problems.extend(multitask_faults(path))
            return (), np.zeros(0, np.int32), np.zeros(0, np.int32), EMPTY_TARGETS
        return rows.videos, rows.index, rows.frame, targets
