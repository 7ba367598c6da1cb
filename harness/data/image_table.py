"""An image table: a CSV of stills with expressions, and optional subject, split, valence, arousal and action units."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np

from harness.data import csv_table as tables
from harness.data.dataset import Labels, Sequence
from harness.data.layouts import SPLITS, VideoLayout
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.stills import Stills
from harness.data.stratification import stratified_group_split
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, TASKS, get_task
from harness.utils.errors import InputError, unknown_name_error

BLOCK = 512
VALIDATION_SHARE = 0.2
TARGET_COLUMNS = {"expr": ("expression",), "va": AFFECTS, "au": ACTION_UNITS}


class ImageTable(VideoLayout):
    """Units are subjects, or images where the table names no subject. Sequences are blocks of 512 rows.

    Row i is frame i % 512 + 1 of sequence `images-<i // 512>`; a row whose image file is missing has no crop.
    Without a `split` column a fifth of the subjects, chosen by the seed, is the validation split.
    """

    layout = "an image table (labels.csv with columns image and expression or subject, or that CSV file itself)"
    noun = "subject"
    temporal = False

    def __init__(self, root: Path, seed: int = 0):
        self.root = Path(root)
        self.csv = self.root / "labels.csv" if self.root.is_dir() else self.root
        resolved = self.csv.resolve()
        self.name = resolved.parent.name if resolved.name == "labels.csv" else resolved.stem
        self.seed = seed
        self.table = tables.read_table(self.csv)
        self.split, self.split_faults = self._parse_or_make_splits()

    @classmethod
    def detect(cls, root: Path) -> bool:
        return (root.is_file() and root.suffix.lower() == ".csv") or (root / "labels.csv").is_file()

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        return cls(root, seed)

    @property
    def has_labels(self) -> bool:
        """Whether it has the columns of any task; subjects alone teach a backbone who is who."""
        return "expression" in self.table.columns or bool(self.tasks())

    @cached_property
    def subjects(self) -> np.ndarray:
        """Str [N]: each row's subject; its image where none is named."""
        images = self.table.columns["image"]
        named = self.table.columns.get("subject", np.full(len(images), ""))
        return np.where(named == "", images, named)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        return tuple(self.csv.parent / name for name in self.table.columns["image"].tolist())

    @cached_property
    def image_exists(self) -> np.ndarray:
        """Bool [N]: rows whose image file exists; InputError when none does."""
        present = np.array([os.path.isfile(path) for path in self.paths], dtype=bool)
        if len(present) and not present.any():
            raise InputError(
                f"{self.csv}: none of its {len(present):,} image files exists, nor the first, "
                f"{self.paths[0]}; paths in the table are relative to its folder"
            )
        return present

    @cached_property
    def sequences(self) -> Mapping[str, Sequence]:
        found = {}
        for start in range(0, len(self.table), BLOCK):
            rows = start + np.flatnonzero(self.image_exists[start : start + BLOCK])
            name = _block_name(start // BLOCK)
            found[name] = Sequence(name, (rows - start + 1).astype(np.int32), tuple(self.paths[row] for row in rows))
        return found

    def tasks(self) -> tuple[str, ...]:
        whole = {
            output: all(name in self.table.columns for name in names) and self.table.nonempty_rows(*names).any()
            for output, names in TARGET_COLUMNS.items()
        }
        return tuple(name for name, task in TASKS.items() if all(whole[output.name] for output in task.outputs))

    def splits(self, task: str) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if len(self._labeled_rows(task, split)))

    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        get_task(task)
        self._validate_split(split)
        return tuple(_block_name(block) for block in np.unique(np.flatnonzero(self.split == split) // BLOCK))

    def frames(self, task: str, split: str) -> dict[str, np.ndarray]:
        rows = np.flatnonzero((self.split == split) & self.image_exists)
        return {
            name: rows[rows // BLOCK == int(name.rpartition("-")[2])] % BLOCK + 1
            for name in self.sequence_names(task, split)
        }

    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        rows = self._labeled_rows(task, "test") if task in self.tasks() else ()
        return tuple(_block_name(block) for block in np.unique(np.asarray(rows, np.int64) // BLOCK))

    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        if task not in self.tasks():
            get_task(task)
            raise InputError(f"{self.csv}: no labels of task '{task}'; it has {', '.join(self.tasks()) or 'none'}")
        self._validate_split(split, problems)
        rows, targets = self._labeled_rows(task, split), {}
        for output in TASKS[task].outputs:
            targets[output.name] = self._parse_targets(output.name, rows, problems)
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
        )

    def labels_digest(self, task: str, split: str) -> str:
        """Hash of the CSV's bytes, and of the seed where it makes the split."""
        get_task(task)
        seed = "" if "split" in self.table.columns else f"seed {self.seed}"
        return hashlib.sha256(self.csv.read_bytes() + seed.encode()).hexdigest()

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """The rows of a split whose image exists; InputError at the first malformed label.

        With `problems`, faulty cells are listed there and count as empty.
        """
        self._validate_split(split, problems)
        rows = np.flatnonzero((self.split == split) & self.image_exists)
        found: dict[str, np.ndarray | None] = {
            name: self._parse_targets(name, rows, problems) for name in TARGET_COLUMNS
        }
        expression = np.full(len(rows), -1, np.int64) if found["expr"] is None else found["expr"]
        names, subject = np.unique(self.subjects[rows], return_inverse=True)
        return Stills(
            tuple(self.paths[row] for row in rows),
            subject.astype(np.int64),
            tuple(names.tolist()),
            expression,
            found["va"],
            found["au"],
        )

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        yield from (*self.table.faults, *self.split_faults)
        yield from self._find_missing_images()
        yield from self._find_duplicate_rows()
        yield from self._find_leaks()
        some = [name for name in ACTION_UNITS if name in self.table.columns]
        lacking = [name for name in (*(ACTION_UNITS if some else ()), *AFFECTS) if name not in self.table.columns]
        if some and set(lacking) & set(ACTION_UNITS):
            message = f"no column {', '.join(n for n in lacking if n in ACTION_UNITS)}; task au needs all twelve"
            yield Problem(WARNING, "columns", message, self.csv, 1)
        if len(set(lacking) & set(AFFECTS)) == 1:
            message = f"no column {next(n for n in lacking if n in AFFECTS)}; task va needs valence and arousal"
            yield Problem(WARNING, "columns", message, self.csv, 1)

    def summary(self) -> tuple[tuple[str, str], ...]:
        given = "from column split" if "split" in self.table.columns else f"by subject, from seed {self.seed}"
        return (("table", f"{self.csv.name}, {len(self.table):,} rows"), ("splits", given))

    def _parse_or_make_splits(self) -> tuple[np.ndarray, tuple[Problem, ...]]:
        if "split" in self.table.columns:
            return tables.parse_splits(self.table)
        names, index = np.unique(self.subjects, return_inverse=True)
        if len(names) < 2:
            return np.full(len(self.table), "train"), ()
        held = stratified_group_split(names.tolist(), names.tolist(), VALIDATION_SHARE, self.seed)
        return np.where(held[index], "validation", "train"), ()

    def _labeled_rows(self, task: str, split: str) -> np.ndarray:
        names = [name for output in get_task(task).outputs for name in TARGET_COLUMNS[output.name]]
        return np.flatnonzero((self.split == split) & self.table.nonempty_rows(*names))

    def _parse_targets(self, output: str, rows: np.ndarray, problems: list[Problem] | None) -> np.ndarray | None:
        """The rows' targets of one output; None where the table has not all its columns."""
        if not all(name in self.table.columns for name in TARGET_COLUMNS[output]):
            return None
        values, faults = tables.parse_targets(self.table, output, rows)
        if faults and problems is None:
            raise faults[0].to_exception()
        if faults:
            problems.extend(faults)
        return values

    def _validate_split(self, split: str, problems: list[Problem] | None = None) -> None:
        faults = (*self.table.faults, *self.split_faults)
        if faults and problems is None:
            raise faults[0].to_exception()
        known = {*SPLITS, *np.unique(self.split).tolist()} - {""}
        if split not in known:
            raise unknown_name_error(f"split of {self.csv}", split, known)

    def _find_missing_images(self) -> Iterator[Problem]:
        for row in np.flatnonzero(~self.image_exists):
            message = f"no image file {self.table.columns['image'][row] or '(the cell is empty)'}"
            yield Problem(ERROR, "missing image", message, self.csv, int(self.table.lines[row]))

    def _find_duplicate_rows(self) -> Iterator[Problem]:
        images = self.table.columns["image"]
        _, first, inverse = np.unique(images, return_index=True, return_inverse=True)
        for row in np.flatnonzero(first[inverse] != np.arange(len(images))):
            message = f"{images[row]} was listed before, on line {self.table.lines[first[inverse][row]]}"
            yield Problem(WARNING, "duplicate row", message, self.csv, int(self.table.lines[row]))

    def _find_leaks(self) -> Iterator[Problem]:
        names, first, inverse = np.unique(self.subjects, return_index=True, return_inverse=True)
        said = set()
        for row in np.flatnonzero((self.split != self.split[first[inverse]]) & (self.split != "")):
            start, key = first[inverse[row]], (inverse[row], self.split[row])
            if key not in said and self.split[start]:
                said.add(key)
                message = (
                    f"subject '{names[inverse[row]]}' is in {self.split[row]} here and in {self.split[start]} "
                    f"on line {self.table.lines[start]}; keep each subject in one split"
                )
                yield Problem(ERROR, "leak", message, self.csv, int(self.table.lines[row]))


def _block_name(block: int) -> str:
    return f"images-{block:05d}"
