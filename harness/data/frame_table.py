"""Frame table: a CSV or parquet file of labeled frames, times or intervals of videos, with crops of any origin."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from backbones.regular_files import hash_file
from harness.data import frame_table_checks
from harness.data.crop_checks import find_misnamed_crops, find_second_folders
from harness.data.crop_folders import CropFolders
from harness.data.crop_search import ONLY_UNREAD
from harness.data.dataset import Labels, Sequence
from harness.data.frame_images import ImageSequences
from harness.data.frame_labels import LabelColumns
from harness.data.frame_rows import resolve_rows
from harness.data.frame_settings import RULES, read_frame_settings
from harness.data.frame_splits import VideoSplits
from harness.data.frame_table_files import is_frame_table, read_frame_table, require_crops, table_file
from harness.data.image_table import TARGET_COLUMNS
from harness.data.label_spreading import frame_keys, split_keys
from harness.data.layouts import SPLITS, VideoLayout
from harness.data.problems import ERROR, Problem, first_error, select_errors
from harness.metrics.tasks import TASKS, get_task
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.names import canonical_name, storable_name
from harness.utils.text import plural


class FrameTable(VideoLayout):
    """CSV or parquet file of labeled frames.

    The units that are split and resampled are videos. Videos of the same named subject form a group, as do `_left` and
    `_right` of the same video; a split never divides a group. Crops are the images in the column `image`. Without this
    column, crops are files such as `<video>/00001.jpg` in a folder `cropped` or `cropped_aligned` beside the table.
    Without a column `split`, the validation split is about a fifth of the groups, drawn with `seed` and stratified by
    labels.

    Parameters
    ----------
    root : Path
        The file, or a folder with a `labels.csv` or `labels.parquet`.
    seed : int, default 0
        Seed of the validation split.

    Attributes
    ----------
    file : Path
        The file.
    table : CodedTable
    rows : FrameRows
    search : CropSearch or None
        Folders of crops; None if the table names images.
    sequences : mapping of str to Sequence
        Crops of each video that the table names.
    """

    layout = (
        "a frame table (labels.csv or labels.parquet with columns video and frame, time, or start and end; or image "
        "and frame)"
    )
    noun = "video"
    temporal = True

    def __init__(self, root: Path, seed: int = 0):
        self.root, self.seed = Path(root), seed
        self.file = table_file(self.root)
        resolved = self.file.resolve()
        self.name = storable_name(resolved.parent.name if resolved.stem == "labels" else resolved.stem)
        self.settings = read_frame_settings(self.settings_file)
        self.table = read_frame_table(self.file)
        self.search = None if "image" in self.table.columns else require_crops(self.file.parent)
        folders = {} if self.search is None else {canonical_name(name): name for name in self.search.videos}
        self.rows = resolve_rows(self.table, self.settings, folders)
        if self.rows.by_interval and self.settings.spread != "exact":
            raise InputError(
                f"{self.settings_file}: spread is for labels of single frames, not of intervals; remove it"
            )
        self.columns = LabelColumns(self.table, self.rows, self.settings)
        self.video_splits = VideoSplits(self.table, self.rows, self.columns, seed)
        self.sequences: Mapping[str, Sequence] = (
            ImageSequences(self.file.parent, self.table.columns["image"], self.rows)
            if self.search is None
            else CropFolders(self.search, self.rows.videos)
        )

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` is a frame table, or has a `labels.csv` that is one, or only a `labels.parquet`."""
        return is_frame_table(table_file(root))

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is used if the table has no column `split`."""
        return cls(root, seed)

    @property
    def settings_file(self) -> Path:
        """The file of the settings, see `FrameSettings`; it need not exist."""
        return self.file.with_suffix(".json")

    @cached_property
    def faults(self) -> tuple[Problem, ...]:
        """Errors of rows, videos, frames, subjects and splits."""
        leaks = select_errors(self.video_splits.find_leaks())
        return (*self.table.faults, *self.rows.faults, *self.video_splits.faults, *leaks)

    def tasks(self) -> tuple[str, ...]:
        """Return the tasks whose columns all exist and have a non-empty cell."""
        columns = self.table.columns
        available = {
            output: all(name in columns for name in names) and any((columns[name].cells != "").any() for name in names)
            for output, names in TARGET_COLUMNS.items()
        }
        return tuple(name for name, task in TASKS.items() if all(available[output.name] for output in task.outputs))

    def splits(self, task: str) -> tuple[str, ...]:
        """Return the labeled splits of a task."""
        return tuple(split for split in SPLITS if self._labeled_videos(task, split))

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Return the videos of a split that have a label of the task; for `test`, return all videos of the split."""
        get_task(task)
        self._validate_split(split)
        return self.video_splits.videos(split) if split == "test" else self._labeled_videos(task, split)

    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        """Return the videos of the split `test` with a label of the task."""
        return self._labeled_videos(task, "test") if task in self.tasks() else ()

    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        """Return the labeled frames of a split, ordered by video and frame."""
        if task not in self.tasks():
            get_task(task)
            available = ", ".join(self.tasks()) or "none"
            raise InputError(f"{self.file}: no labels of task '{task}'; available: {available}")
        self._validate_split(split, problems)
        outputs = tuple(output.name for output in TASKS[task].outputs)
        labels = self.columns.read(
            outputs, self.video_splits.rows(split), lambda: self._keys_of_split(split, problems is not None)
        )
        if labels.problems and problems is None:
            raise first_error(labels.problems)
        if problems is not None:
            problems.extend(labels.problems)
        video, frame = split_keys(labels.keys)
        used, sequence = np.unique(video, return_inverse=True)
        names = tuple(self.rows.videos[number] for number in used)
        groups = tuple(self.video_splits.groups[number] for number in used)
        index = sequence.astype(np.int32)
        return Labels(names, index, frame, names, index, groups, labels.targets, labels.warnings)

    def labels_digest(self, task: str, split: str) -> str:
        """Return a hash of the bytes of the table and its settings, and of the seed if it determines the split."""
        get_task(task)
        seed = "" if "split" in self.table.columns else f"seed {self.seed}"
        settings = hash_file(self.settings_file) if self.settings_file.is_file() else ""
        return hashlib.sha256(f"{hash_file(self.file)} {settings} {seed}".encode()).hexdigest()

    def crop_keys(self, videos: tuple[str, ...], crops: Mapping[str, np.ndarray]) -> np.ndarray:
        """Return the keys (see `frame_keys`) of the crops of some videos, in ascending order.

        Parameters
        ----------
        videos : tuple of str
        crops : mapping of str to int array
            Frames of the crops by video.
        """
        numbers = {name: number for number, name in enumerate(self.rows.videos)}
        keys = [frame_keys(np.full(len(crops[name]), numbers[name]), crops[name]) for name in videos]
        return np.concatenate([np.zeros(0, np.int64), *keys])

    def _keys_of_split(self, split: str, skip_unreadable: bool) -> np.ndarray:
        """Return the keys of the crops of a split. An unreadable folder is skipped if allowed, or raises InputError."""
        names = self.video_splits.videos(split)
        crops = {}
        for name in names:
            try:
                crops[name] = self.sequences[name].frames
            except InputError:  # reported by `find_problems`
                if not skip_unreadable:
                    raise
                crops[name] = np.zeros(0, np.int32)
        return self.crop_keys(names, crops)

    def notices(self) -> tuple[str, ...]:
        """Return what was assumed about the table, and which crops are not read, misnamed or in two folders."""
        notices = [f"{warning.location()}: {warning.message}" for warning in self.table.warnings]
        if self.search is None:
            return tuple(notices)
        notices += [f"{each.file}: {each.message}" for each in self.search.problems if each.kind == ONLY_UNREAD]
        conflicts = [problem for problem in find_second_folders(self.search) if problem.severity == ERROR]
        notices += [str(first_error(conflicts))] if conflicts else []
        return *notices, *find_misnamed_crops(self.search, self.rows.videos)

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Yield problems other than malformed labels; see `frame_table_checks.find_problems`."""
        return frame_table_checks.find_problems(self, crops)

    def find_errors(self, task: str) -> Iterator[Problem]:
        """Yield malformed rows and splits, leaks, and errors of the crops."""
        return iter(self._errors)

    @cached_property
    def _errors(self) -> tuple[Problem, ...]:
        return tuple(dict.fromkeys(select_errors(frame_table_checks.find_table_problems(self))))

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the format of the table, its columns, the rules for frames and labels, the crops and the splits."""
        table = ", ".join(filter(None, (self.file.name, plural(len(self.table), "row"), self.table.form)))
        named = self.video_splits.has_subjects
        origin = f"by {'subject' if named else 'video'}, stratified, with seed {self.seed}"
        rule = "" if self.rows.by_interval else f"; {RULES[self.settings.spread]}"
        limit = self.settings.max_frames
        limited = "" if limit is None else f", over {plural(limit, 'frame')} at most"
        folders = () if self.search is None else self.search.folders
        crops = [("crops", f"{folder.relative_to(self.file.parent)}/") for folder in folders]
        return (
            ("table", table),
            ("columns", self.table.names),
            ("frames", f"{self.rows.origin}{rule}{limited}"),
            *(crops or [("crops", "from column image")]),
            ("splits", "from column split" if "split" in self.table.columns else origin),
        )

    def _labeled_videos(self, task: str, split: str) -> tuple[str, ...]:
        names = [name for output in get_task(task).outputs for name in TARGET_COLUMNS[output.name]]
        filled = self.table.filled_rows(*names)[self.rows.spans.row]
        used = np.unique(self.rows.spans.video[filled & self.video_splits.rows(split)])
        return tuple(self.rows.videos[number] for number in used)

    def _validate_split(self, split: str, problems: list[Problem] | None = None) -> None:
        if problems is None and (faults := self.faults):
            raise first_error(faults)
        splits = {*SPLITS, *self.video_splits.available}
        if split not in splits:
            raise unknown_name_error(f"split of {self.file}", split, splits)
