"""Image table: a CSV file that lists still images, their expressions or subjects, and optionally other columns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from backbones.regular_files import read_regular
from harness.data import image_table_checks, table_cells
from harness.data.csv_table import read_table
from harness.data.dataset import Labels, Sequence
from harness.data.layouts import SPLITS, VideoLayout
from harness.data.problems import Problem, first_error, select_errors
from harness.data.stills import Stills
from harness.data.stratification import stratified_group_split
from harness.data.table_images import TableImages
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, TASKS, get_task
from harness.utils.errors import InputError, unknown_name_error
from harness.utils.names import storable_name
from harness.utils.text import plural

BLOCK = 512
SUFFIXES = (".csv", ".tsv")
VALIDATION_SHARE = 0.2
TARGET_COLUMNS = {"expr": ("expression",), "va": AFFECTS, "au": ACTION_UNITS}


class ImageTable(VideoLayout):
    """CSV file of still images.

    The units that are split and resampled are subjects; an image without a named subject is its own unit. Sequences are
    blocks of 512 rows: row i is frame i % 512 + 1 of sequence `images-<i // 512>`. A row whose image file is missing
    has no crop. Without a column `split`, the validation split is about a fifth of the subjects, drawn with `seed`.

    Parameters
    ----------
    root : Path
        The CSV file, or a folder with a `labels.csv`.
    seed : int, default 0
        Seed of the validation split.

    Attributes
    ----------
    csv : Path
        The CSV file.
    table : Table
    split : str array of shape (N,)
        Split of each row; '' if the cell is malformed.
    split_faults : tuple of Problem
        Malformed cells of the column `split`.
    """

    layout = "an image table (labels.csv with columns image and expression or subject, or that CSV file itself)"
    noun = "subject"
    temporal = False

    def __init__(self, root: Path, seed: int = 0):
        self.root = Path(root)
        self.csv = self.root / "labels.csv" if self.root.is_dir() else self.root
        resolved = self.csv.resolve()
        self.name = storable_name(resolved.parent.name if resolved.name == "labels.csv" else resolved.stem)
        self.seed = seed
        self.table = read_table(self.csv)
        self.split, self.split_faults = self._parse_or_make_splits()

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` is a CSV file or has a `labels.csv`."""
        return (root.is_file() and root.suffix.lower() in SUFFIXES) or (root / "labels.csv").is_file()

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is used if the table has no column `split`."""
        return cls(root, seed)

    @property
    def has_labels(self) -> bool:
        """Whether the table has a column `expression` or a task; other tables can only be used to train backbones."""
        return "expression" in self.table.columns or bool(self.tasks())

    @cached_property
    def images(self) -> TableImages:
        """Images of the rows."""
        return TableImages(self.table, self.root if self.root.is_dir() else self.root.parent)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Image file of each row."""
        return self.images.paths

    @property
    def image_exists(self) -> np.ndarray:
        """Bool mask (N,) of the rows whose image file exists; see `TableImages.exist` for errors."""
        return self.images.exist

    @cached_property
    def subjects(self) -> np.ndarray:
        """Subject of each row, str of shape (N,); the image if no subject is named."""
        named = self.table.columns.get("subject", np.full(len(self.table), ""))
        return np.where(named == "", self.images.distinct, named)

    @cached_property
    def sequences(self) -> Mapping[str, Sequence]:  # type: ignore[override]
        """Blocks of rows by name."""
        sequences = {}
        for start in range(0, len(self.table), BLOCK):
            rows = start + np.flatnonzero(self.image_exists[start : start + BLOCK])
            name = _block_name(start // BLOCK)
            frames = (rows - start + 1).astype(np.int32)
            sequences[name] = Sequence(name, frames, tuple(self.paths[row] for row in rows))
        return sequences

    def tasks(self) -> tuple[str, ...]:
        """Return the tasks whose columns all exist and have a non-empty cell."""
        available = {
            output: all(name in self.table.columns for name in names) and self.table.nonempty_rows(*names).any()
            for output, names in TARGET_COLUMNS.items()
        }
        return tuple(name for name, task in TASKS.items() if all(available[output.name] for output in task.outputs))

    def splits(self, task: str) -> tuple[str, ...]:
        """Return the labeled splits of a task."""
        return tuple(split for split in SPLITS if len(self._labeled_rows(task, split)))

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Return the blocks with rows of a split."""
        get_task(task)
        self._validate_split(split)
        return tuple(_block_name(block) for block in np.unique(np.flatnonzero(self.split == split) // BLOCK))

    def frames(self, task: str, split: str) -> dict[str, np.ndarray]:
        """Return, for each block, the frame numbers of a split's images whose file exists."""
        rows = np.flatnonzero((self.split == split) & self.image_exists)
        return {
            name: rows[rows // BLOCK == int(name.rpartition("-")[2])] % BLOCK + 1
            for name in self.sequence_names(task, split)
        }

    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        """Return the blocks with labeled rows of the test split of a task."""
        rows = self._labeled_rows(task, "test") if task in self.tasks() else ()
        return tuple(_block_name(block) for block in np.unique(np.asarray(rows, np.int64) // BLOCK))

    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        """Return the labeled rows of a split."""
        if task not in self.tasks():
            get_task(task)
            available = ", ".join(self.tasks()) or "none"
            raise InputError(f"{self.csv}: no labels of task '{task}'; available: {available}")
        self._validate_split(split, problems)
        rows, targets, warnings = self._labeled_rows(task, split), {}, list[Problem]()
        lines = self.table.lines[rows]
        for output in TASKS[task].outputs:
            values = self._parse_targets(output.name, rows, problems)
            assert values is not None  # all columns exist, see `tasks`
            targets[output.name] = values
            warnings += image_table_checks.find_partial_labels(
                self.csv, output.name, values, "row", lambda row, _: int(lines[row])
            )
        units, unit = np.unique(self.subjects[rows], return_inverse=True)
        names = tuple(units.tolist())
        return Labels(
            tuple(self.sequences),
            (rows // BLOCK).astype(np.int32),
            (rows % BLOCK + 1).astype(np.int32),
            names,
            unit.astype(np.int32),
            names,
            targets,
            tuple(warnings),
        )

    def labels_digest(self, task: str, split: str) -> str:
        """Return a hash of the bytes of the CSV file, and of the seed if it determines the split."""
        get_task(task)
        seed = "" if "split" in self.table.columns else f"seed {self.seed}"
        return hashlib.sha256(read_regular(self.csv) + seed.encode()).hexdigest()

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return the rows of a split whose image exists.

        Parameters
        ----------
        split : str
        problems : list of Problem, optional
            If given, malformed cells are appended to it and treated as empty. Otherwise they raise InputError.

        Raises
        ------
        InputError
            If a row, a split or a label is malformed, or if no image exists.
        """
        self._validate_split(split, problems)
        rows = np.flatnonzero((self.split == split) & self.image_exists)
        targets: dict[str, np.ndarray | None] = {
            name: self._parse_targets(name, rows, problems) for name in TARGET_COLUMNS
        }
        expression = np.full(len(rows), -1, np.int64) if targets["expr"] is None else targets["expr"]
        names, subject = np.unique(self.subjects[rows], return_inverse=True)
        return Stills(
            tuple(self.paths[row] for row in rows),
            subject.astype(np.int64),
            tuple(names.tolist()),
            expression,
            targets["va"],
            targets["au"],
        )

    def notices(self) -> tuple[str, ...]:
        """Return what was assumed about the encoding and the columns of the table."""
        return tuple(f"{warning.location()}: {warning.message}" for warning in self.table.warnings)

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Yield malformed rows and splits, missing images, duplicates, leaks, and unclear subjects and columns."""
        yield from (*self.table.faults, *self.table.warnings, *self.split_faults)
        yield from image_table_checks.find_problems(self)

    def find_errors(self, task: str) -> Iterator[Problem]:
        """Yield malformed rows and splits, missing images, and subjects that are in two splits."""
        return iter(self._errors)

    @cached_property
    def _errors(self) -> tuple[Problem, ...]:
        return tuple(select_errors(self.find_problems({})))

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the format of the table, its columns and the origin of the splits."""
        origin = "from column split" if "split" in self.table.columns else f"by subject, with seed {self.seed}"
        table = ", ".join(filter(None, (self.csv.name, plural(len(self.table), "row"), self.table.form)))
        return (("table", table), ("columns", self.table.names), ("splits", origin))

    def _parse_or_make_splits(self) -> tuple[np.ndarray, tuple[Problem, ...]]:
        if "split" in self.table.columns:
            return table_cells.parse_splits(self.table)
        names, index = np.unique(self.subjects, return_inverse=True)
        if len(names) < 2:
            return np.full(len(self.table), "train"), ()
        held_out = stratified_group_split(names.tolist(), names.tolist(), VALIDATION_SHARE, self.seed)
        return np.where(held_out[index], "validation", "train"), ()

    def _labeled_rows(self, task: str, split: str) -> np.ndarray:
        names = [name for output in get_task(task).outputs for name in TARGET_COLUMNS[output.name]]
        return np.flatnonzero((self.split == split) & self.table.nonempty_rows(*names))

    def _parse_targets(self, output: str, rows: np.ndarray, problems: list[Problem] | None) -> np.ndarray | None:
        """Return the labels of one output, or None if the table lacks one of its columns."""
        if not all(name in self.table.columns for name in TARGET_COLUMNS[output]):
            return None
        values, faults = table_cells.parse_targets(self.table, output, rows)
        if faults and problems is None:
            raise first_error(faults)
        if problems is not None:
            problems.extend(faults)
        return values

    def _validate_split(self, split: str, problems: list[Problem] | None = None) -> None:
        faults = (*self.table.faults, *self.split_faults)
        if faults and problems is None:
            raise first_error(faults)
        splits = {*SPLITS, *np.unique(self.split).tolist()} - {""}
        if split not in splits:
            raise unknown_name_error(f"split of {self.csv}", split, splits)


def _block_name(block: int) -> str:
    return f"images-{block:05d}"
