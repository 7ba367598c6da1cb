"""AffectNet as first released: lists with face boxes, and the images they name in numbered folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from backbones.spec import AFFECTNET
from harness.data import affectnet_labels, image_files
from harness.data.annotations import Rule
from harness.data.boxes import box_corners
from harness.data.csv_listing import read_csv_columns
from harness.data.csv_table import Table, parse_numbers
from harness.data.layouts import ImageLayout, folder_name
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.stills import Stills
from harness.utils.errors import InputError

FILES = {"train": "training.csv", "validation": "validation.csv"}
LIST_FOLDERS = ("Manually_Annotated_file_lists", ".", "Manually_Annotated")
IMAGE_FOLDERS = (
    "Manually_Annotated_Images",
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated_Images",
    "Manually_Annotated_compressed/Manually_Annotated/Manually_Annotated_Images",
)
IMAGE_COLUMN, BOX_COLUMNS = "subDirectory_filePath", ("face_x", "face_y", "face_width", "face_height")
HEADER = (IMAGE_COLUMN, *BOX_COLUMNS, "facial_landmarks", "expression", "valence", "arousal")
READ_COLUMNS = tuple(name for name in HEADER if name != "facial_landmarks")
MISSING_VALUES = ("", "null", "none", "nan")
BOX_RULE = Rule(float, lambda v: ~np.isinf(v), "a number of pixels, or NULL for no box")


@dataclass(frozen=True, eq=False)
class CsvImageList:
    """A list's rows. code: int64 [N] 0 to 10; there: bool [N], the image is on disk; sound: bool [N], no fault."""

    table: Table
    code: np.ndarray
    va: np.ndarray
    boxes: np.ndarray
    there: np.ndarray
    sound: np.ndarray
    faults: tuple[Problem, ...]

    @property
    def names(self) -> np.ndarray:
        return self.table.columns[IMAGE_COLUMN]

    @property
    def expressive(self) -> np.ndarray:
        return self.code < len(AFFECTNET)


class AffectNet2017(ImageLayout):
    """Every image is its own subject. The lists' landmarks are not read."""

    layout = (
        "AffectNet of 2017 (Manually_Annotated_file_lists/training.csv and validation.csv, "
        "Manually_Annotated_Images/<folder>/<image>)"
    )

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = folder_name(self.root)
        self.images = next(
            (self.root / folder for folder in IMAGE_FOLDERS if (self.root / folder).is_dir()),
            self.root / IMAGE_FOLDERS[0],
        )
        self._lists: dict[str, CsvImageList] = {}

    @classmethod
    def detect(cls, root: Path) -> bool:
        return any(_find_list(root, split) for split in FILES) and any((root / name).is_dir() for name in IMAGE_FOLDERS)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        return cls(root)

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in FILES if _find_list(self.root, split))

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """The images with one of the eight expressions, in the list's order, with their boxes."""
        listed = self.image_list(split)
        if listed.faults and problems is None:
            raise listed.faults[0].to_exception()
        if problems is not None:
            problems.extend(listed.faults)
        if not listed.there.any():
            raise InputError(
                f"{self.images}: none of the {len(listed.there):,} images that {listed.table.path} names "
                f"exists, nor the first, {listed.names[0] if len(listed.names) else ''}"
            )
        rows = np.flatnonzero(listed.there & listed.expressive & listed.sound)
        names = tuple(listed.names[rows].tolist())
        return Stills(
            tuple(self.images / name for name in names),
            np.arange(len(rows)),
            names,
            affectnet_labels.expressions(listed.code[rows]),
            listed.va[rows],
            None,
            AFFECTNET,
            listed.boxes[rows],
        )

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        listed = self.image_list(split)
        counts = {
            affectnet_labels.NO_EXPRESSION: int((~listed.expressive & listed.sound).sum()),
            "no image file": int((~listed.there & listed.expressive).sum()),
        }
        return {why: count for why, count in counts.items() if count}

    def image_list(self, split: str) -> CsvImageList:
        """The list of a split, read once."""
        if self.validate_split(split) not in self._lists:
            self._lists[split] = _read_image_list(_find_list(self.root, split), self.images)
        return self._lists[split]

    def find_problems(self) -> Iterator[Problem]:
        for split in self.splits():
            listed = self.image_list(split)
            path, lines = listed.table.path, listed.table.lines
            absent = np.flatnonzero(~listed.there & listed.expressive)
            if len(absent):
                message = (
                    f"{len(absent):,} of {len(lines):,} images are not there, the first "
                    f"{listed.names[absent[0]]}; they are left out"
                )
                yield Problem(WARNING, "missing image", message, path, int(lines[absent[0]]))
            bare = np.flatnonzero(np.isnan(listed.boxes[:, 0]) & listed.there & listed.expressive)
            if len(bare):
                message = f"{len(bare):,} images have no box, the first {listed.names[bare[0]]}; they are used whole"
                yield Problem(WARNING, "no box", message, path, int(lines[bare[0]]))
            _, first = np.unique(listed.names, return_index=True)
            again = np.setdiff1d(np.arange(len(lines)), first)
            if len(again):
                message = f"{len(again):,} images are listed again, the first {listed.names[again[0]]}"
                yield Problem(WARNING, "duplicate row", message, path, int(lines[again[0]]))
        yield from self._find_leaks()

    def summary(self) -> tuple[tuple[str, str], ...]:
        lists = ", ".join(str(_find_list(self.root, split).relative_to(self.root)) for split in self.splits())
        return (("lists", lists), ("image folder", str(self.images.relative_to(self.root))))

    def _find_leaks(self) -> Iterator[Problem]:
        if len(self.splits()) < 2:
            return
        train, validation = (self.image_list(split) for split in affectnet_labels.SPLITS)
        shared = np.flatnonzero(np.isin(validation.names, train.names))
        if len(shared):
            message = f"{len(shared):,} images are in the training list too, the first {validation.names[shared[0]]}"
            yield Problem(ERROR, "leak", message, validation.table.path, int(validation.table.lines[shared[0]]))


def _find_list(root: Path, split: str) -> Path | None:
    return next((path for folder in LIST_FOLDERS if (path := root / folder / FILES[split]).is_file()), None)


def _read_image_list(path: Path, images: Path) -> CsvImageList:
    table = read_csv_columns(path, READ_COLUMNS, HEADER)
    boxes = {
        name: np.where(np.isin(np.char.lower(table.columns[name]), MISSING_VALUES), "", table.columns[name])
        for name in BOX_COLUMNS
    }
    table = replace(table, columns={**table.columns, **boxes})
    rules = {
        "expression": (affectnet_labels.CODE_RULE, 10),
        "valence": (affectnet_labels.AFFECT_RULE, -2),
        "arousal": (affectnet_labels.AFFECT_RULE, -2),
    } | dict.fromkeys(BOX_COLUMNS, (BOX_RULE, np.nan))
    rows, values, faults = np.arange(len(table)), {}, list(table.faults)
    for name, (rule, missing) in rules.items():
        values[name], wrong = parse_numbers(table, name, rows, rule, missing)
        faults.extend(wrong)
    faulty = {fault.line for fault in faults}
    return CsvImageList(
        table,
        values["expression"].astype(np.int64),
        affectnet_labels.affects(values["valence"], values["arousal"]),
        box_corners(*(values[name] for name in BOX_COLUMNS)),
        image_files.existence_mask(images, table.columns[IMAGE_COLUMN].tolist()),
        ~np.isin(table.lines, list(faulty)),
        tuple(sorted(faults, key=lambda fault: fault.line)),
    )
