"""VGGFace2: a folder for each identity, and a list of loose face boxes (Cao et al. 2018, arXiv 1710.08092)."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from harness.data import image_files
from harness.data.annotations import Rule
from harness.data.boxes import box_corners
from harness.data.csv_listing import read_csv_columns
from harness.data.csv_table import Table, parse_numbers
from harness.data.layouts import ImageLayout, folder_name
from harness.data.problems import ERROR, WARNING, Problem
from harness.data.stills import Stills
from harness.utils.errors import InputError
from harness.utils.progress import Progress

SPLITS = ("train", "test")
BOX_FOLDERS = ("bb_landmark", "meta/bb_landmark", ".")
COLUMNS = ("NAME_ID", "X", "Y", "W", "H")
BOX_RULE = Rule(float, np.isfinite, "a number of pixels")


@dataclass(frozen=True, eq=False)
class IdentityFolders:
    """One split's folders. subject: int64 [N] into names.

    empty: identities without an image; strays: files of identities that are no image.
    """

    images: tuple[Path, ...]
    subject: np.ndarray
    names: tuple[str, ...]
    empty: tuple[str, ...]
    strays: int


@dataclass(frozen=True, eq=False)
class BoxList:
    """One split's list. boxes: float32 [N, 4] for the images, NaN none; without: names in it that are no image."""

    path: Path
    boxes: np.ndarray
    without: tuple[str, ...]
    faults: tuple[Problem, ...]


class VGGFace2(ImageLayout):
    """Identities of `test/` are unseen in training. Any folder of `train/<identity>/*.jpg` is read alike."""

    layout = (
        "VGGFace2 (train/<identity>/*.jpg; where there are, test/<identity>/*.jpg and bb_landmark/loose_bb_train.csv)"
    )

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = folder_name(self.root)
        self._found: dict[str, tuple[IdentityFolders, BoxList | None]] = {}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Whether the first of the folders in `train/` that is not empty holds an image."""
        for folder in _subfolders(root / "train"):
            with os.scandir(folder) as entries:
                first = next(entries, None)
            if first is not None:
                return bool(image_files.list_image_names(folder))
        return False

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        return cls(root)

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if _subfolders(self.root / split))

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Every image; no expressions, and a box where the list has one."""
        found, listed = self.folders_and_boxes(split)
        if listed is not None and listed.faults and problems is None:
            raise listed.faults[0].to_exception()
        if listed is not None and problems is not None:
            problems.extend(listed.faults)
        none = np.full(len(found.images), -1, np.int64)
        return Stills(found.images, found.subject, found.names, none, boxes=None if listed is None else listed.boxes)

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        _, listed = self.folders_and_boxes(split)
        return {"in the list of boxes without an image file": len(listed.without)} if listed and listed.without else {}

    def folders_and_boxes(self, split: str) -> tuple[IdentityFolders, BoxList | None]:
        """The folders of a split and its list of boxes, None where there is none; looked at once."""
        if self.validate_split(split) not in self._found:
            identities, keys = _scan_identities(self.root / split)
            if not identities.images:
                raise InputError(
                    f"{self.root / split}: no image in any of its {len(identities.empty):,} folders; "
                    "each identity is a folder of .jpg files"
                )
            path = next(
                (path for folder in BOX_FOLDERS if (path := self.root / folder / f"loose_bb_{split}.csv").is_file()),
                None,
            )
            self._found[split] = identities, None if path is None else _read_boxes(path, keys)
        return self._found[split]

    def find_problems(self) -> Iterator[Problem]:
        for split in self.splits():
            yield from self._find_folder_problems(split)
            yield from self._find_box_problems(split)
        if len(self.splits()) == 2:
            (train, _), (test, _) = self.folders_and_boxes("train"), self.folders_and_boxes("test")
            for name in sorted(set(test.names).intersection(train.names)):
                message = f"identity '{name}' is in train and in test, whose identities must be unseen; remove one"
                yield Problem(ERROR, "leak", message, self.root / "test" / name)

    def summary(self) -> tuple[tuple[str, str], ...]:
        lists = [
            str(listed.path.relative_to(self.root))
            for split in self.splits()
            if (listed := self.folders_and_boxes(split)[1]) is not None
        ]
        return (("boxes", ", ".join(lists) if lists else "none: whole images are used"),)

    def _find_folder_problems(self, split: str) -> Iterator[Problem]:
        found, folder = self.folders_and_boxes(split)[0], self.root / split
        counts = np.bincount(found.subject, minlength=len(found.names))
        if found.empty:
            message = f"{len(found.empty):,} identities have no image, the first {found.empty[0]}; they are left out"
            yield Problem(WARNING, "empty identity", message, folder)
        if len(alone := np.flatnonzero(counts == 1)):
            message = f"{len(alone):,} identities have one image only, the first {found.names[alone[0]]}"
            yield Problem(WARNING, "one image", message, folder)
        if found.strays:
            yield Problem(WARNING, "no image", f"{found.strays:,} files are no image; they are left out", folder)

    def _find_box_problems(self, split: str) -> Iterator[Problem]:
        found, listed = self.folders_and_boxes(split)
        if listed is None:
            return
        if len(bare := np.flatnonzero(np.isnan(listed.boxes[:, 0]))):
            message = (
                f"{len(bare):,} of {len(found.images):,} images have no box here, the first "
                f"{'/'.join(found.images[bare[0]].parts[-2:])}; they are used whole"
            )
            yield Problem(WARNING, "no box", message, listed.path)
        if listed.without:
            message = f"{len(listed.without):,} names are no image of {split}/, the first {listed.without[0]}"
            yield Problem(WARNING, "no image", message, listed.path)


def _subfolders(root: Path) -> list[str]:
    """Paths of the folders in `root`, sorted; none where it is no folder."""
    try:
        with os.scandir(root) as entries:
            return sorted(entry.path for entry in entries if not entry.name.startswith(".") and entry.is_dir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _scan_identities(root: Path) -> tuple[IdentityFolders, list[str]]:
    """The folders in `root`, and `identity/image` without its suffix of every image."""
    images, keys, counts, names, empty, strays = [], [], [], [], [], 0
    folders = _subfolders(root)
    with Progress("identities", unit="folder") as progress:
        for done, folder in enumerate(folders, start=1):
            name, place, files = os.path.basename(folder), Path(folder), image_files.list_image_names(folder)
            strays += len(os.listdir(folder)) - len(files)
            if files:
                images += [place / file for file in files]
                keys += [f"{name}/{file.rpartition('.')[0]}" for file in files]
                counts.append(len(files))
                names.append(name)
            else:
                empty.append(name)
            progress(done, len(folders))
    subject = np.repeat(np.arange(len(names)), counts)
    return IdentityFolders(tuple(images), subject, tuple(names), tuple(empty), strays), keys


def _read_boxes(path: Path, keys: list[str]) -> BoxList:
    table = read_csv_columns(path, COLUMNS)
    found, faults = _parse_boxes(table)
    rows = {key: row for row, key in enumerate(keys)}
    place = np.array([rows.get(name, -1) for name in table.columns["NAME_ID"].tolist()], np.int64)
    boxes = np.full((len(keys), 4), np.nan, np.float32)
    boxes[place[place >= 0]] = found[place >= 0]
    without = tuple(table.columns["NAME_ID"][place < 0].tolist())
    return BoxList(path, boxes, without, (*table.faults, *faults))


def _parse_boxes(table: Table) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """float32 [N, 4] of the list's rows, and what is wrong with them; a box without a size is a fault."""
    columns, faults = [], []
    for name in COLUMNS[1:]:
        values, wrong = parse_numbers(table, name, np.arange(len(table)), BOX_RULE, np.nan)
        columns.append(values)
        faults.extend(wrong)
    x, y, width, height = columns
    for row in np.flatnonzero((width <= 0) | (height <= 0)):
        message = f"the box is {width[row]:g} wide and {height[row]:g} high; both must be above 0"
        faults.append(Problem(ERROR, "box", message, table.path, int(table.lines[row])))
    return box_corners(x, y, width, height), tuple(sorted(faults, key=lambda fault: fault.line))
