"""VGGFace2: one folder of images for each identity, and lists of face boxes (Cao et al. 2018, arXiv 1710.08092)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from harness.data import image_files
from harness.data.annotation_formats import Rule
from harness.data.boxes import box_corners
from harness.data.csv_listing import read_csv_columns
from harness.data.csv_table import Table
from harness.data.layouts import ImageLayout, folder_name
from harness.data.problems import ERROR, WARNING, Problem, first_error, unreadable_folder
from harness.data.stills import Stills
from harness.data.table_cells import parse_numbers
from harness.utils.errors import InputError
from harness.utils.names import canonical_name
from harness.utils.progress import Progress

SPLITS = ("train", "test")
BOX_FOLDERS = ("bb_landmark", "meta/bb_landmark", ".")
FOLDERS = frozenset((*SPLITS, "bb_landmark", "meta"))
COLUMNS = ("NAME_ID", "X", "Y", "W", "H")
BOX_RULE = Rule(float, np.isfinite, "a number of pixels")


@dataclass(frozen=True, eq=False)
class IdentityFolders:
    """Folders of one split.

    Attributes
    ----------
    images : tuple of Path
    subject : int64 array of shape (N,)
        Index into `names`.
    names : tuple of str
        Identities with at least one image.
    empty : tuple of str
        Identities without an image.
    strays : int
        Number of files that are not images.
    unreadable : tuple of Problem
        Problems of folders that cannot be listed.
    """

    images: tuple[Path, ...]
    subject: np.ndarray
    names: tuple[str, ...]
    empty: tuple[str, ...]
    strays: int
    unreadable: tuple[Problem, ...]


@dataclass(frozen=True, eq=False)
class BoxList:
    """List of face boxes of one split.

    Attributes
    ----------
    path : Path
    boxes : float32 array of shape (N, 4)
        Left, top, right, bottom in pixels for each image; NaN for no box.
    without : tuple of str
        Names in the list that have no image file.
    faults : tuple of Problem
    """

    path: Path
    boxes: np.ndarray
    without: tuple[str, ...]
    faults: tuple[Problem, ...]


class VGGFace2(ImageLayout):
    """VGGFace2, or any folder of `train/<identity>/*.jpg`. Identities of `test/` must not be in `train/`.

    Parameters
    ----------
    root : Path
    """

    layout = "VGGFace2 (train/<identity>/*.jpg; optional: test/<identity>/*.jpg and bb_landmark/loose_bb_train.csv)"

    def __init__(self, root: Path):
        self.root = Path(root)
        self.name = folder_name(self.root)
        self._splits: dict[str, tuple[IdentityFolders, BoxList | None]] = {}

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether a folder in `train/` contains an image."""
        return any(map(_has_image, image_files.list_subfolders(root / "train")))

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is not used."""
        return cls(root)

    def splits(self) -> tuple[str, ...]:
        """Return the splits whose folder contains folders of identities or cannot be listed."""
        return tuple(split for split in SPLITS if _has_subfolder(self.root / split))

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return all images with their boxes; no image has an expression."""
        folders, box_list = self.folders_and_boxes(split)
        faults = folders.unreadable + (() if box_list is None else box_list.faults)
        if faults and problems is None:
            raise first_error(faults)
        if problems is not None:
            problems.extend(faults)
        expression = np.full(len(folders.images), -1, np.int64)
        boxes = None if box_list is None else box_list.boxes
        return Stills(folders.images, folders.subject, folders.names, expression, boxes=boxes)

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        """Return the number of names in the list of boxes without an image file, keyed by this reason."""
        _, box_list = self.folders_and_boxes(split)
        if box_list is None or not box_list.without:
            return {}
        return {"in the list of boxes, but without an image file": len(box_list.without)}

    def folders_and_boxes(self, split: str) -> tuple[IdentityFolders, BoxList | None]:
        """Return the folders of a split and its list of boxes (None if there is no list). The result is cached."""
        if self.validate_split(split) not in self._splits:
            identities, keys = _scan_identities(self.root / split)
            if not identities.images:
                if identities.unreadable:
                    raise first_error(identities.unreadable)
                raise InputError(
                    f"{self.root / split}: no image in any of its {len(identities.empty):,} folders; "
                    "put the .jpg files of each identity into its folder"
                )
            path = self._box_path(split)
            self._splits[split] = identities, None if path is None else _read_boxes(path, keys)
        return self._splits[split]

    def find_problems(self) -> Iterator[Problem]:
        """Yield problems of folders and of lists of boxes, and identities that are in both splits."""
        for folder in image_files.list_subfolders(self.root):
            if folder.name not in FOLDERS:
                message = "this folder is not read; only train, test and the lists of boxes are"
                yield Problem(WARNING, "unread folder", message, folder)
        for split in self.splits():
            yield from self._find_folder_problems(split)
            yield from self._find_box_problems(split)
        if len(self.splits()) == 2:
            (train, _), (test, _) = self.folders_and_boxes("train"), self.folders_and_boxes("test")
            for name in sorted(set(test.names).intersection(train.names)):
                message = f"identity '{name}' is in both train and test; remove it from one"
                yield Problem(ERROR, "leak", message, self.root / "test" / name)

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the lists of boxes."""
        lists = [str(path.relative_to(self.root)) for path in map(self._box_path, self.splits()) if path is not None]
        return (("boxes", ", ".join(lists) if lists else "none; images are not cropped"),)

    def _box_path(self, split: str) -> Path | None:
        """Return the list of boxes of a split, or None."""
        paths = (self.root / folder / f"loose_bb_{split}.csv" for folder in BOX_FOLDERS)
        return next((path for path in paths if path.is_file()), None)

    def _find_folder_problems(self, split: str) -> Iterator[Problem]:
        identities, folder = self.folders_and_boxes(split)[0], self.root / split
        counts = np.bincount(identities.subject, minlength=len(identities.names))
        if empty := identities.empty:
            message = f"{len(empty):,} identities have no image (first: {empty[0]}); they are skipped"
            yield Problem(WARNING, "empty identity", message, folder)
        if len(single := np.flatnonzero(counts == 1)):
            message = f"{len(single):,} identities have only one image (first: {identities.names[single[0]]})"
            yield Problem(WARNING, "one image", message, folder)
        if identities.strays:
            message = f"{identities.strays:,} files are not images; they are skipped"
            yield Problem(WARNING, "no image", message, folder)

    def _find_box_problems(self, split: str) -> Iterator[Problem]:
        identities, box_list = self.folders_and_boxes(split)
        if box_list is None:
            return
        if len(unboxed := np.flatnonzero(np.isnan(box_list.boxes[:, 0]))):
            message = (
                f"{len(unboxed):,} of {len(identities.images):,} images have no box in this list (first: "
                f"{'/'.join(identities.images[unboxed[0]].parts[-2:])}); they are not cropped"
            )
            yield Problem(WARNING, "no box", message, box_list.path)
        if missing := box_list.without:
            message = f"{len(missing):,} names have no image in {split}/ (first: {missing[0]}); they are skipped"
            yield Problem(WARNING, "no image", message, box_list.path)


def _has_subfolder(folder: Path) -> bool:
    try:
        return bool(image_files.list_subfolders(folder))
    except OSError:
        return True


def _has_image(folder: Path) -> bool:
    try:
        return bool(image_files.list_image_names(folder))
    except OSError:
        return False


def _scan_identities(root: Path) -> tuple[IdentityFolders, list[str]]:
    """Scan the folders in `root`; also return the names that the images have in lists of boxes.

    Such a name is `identity/image` without the suffix, in canonical Unicode form.
    """
    images: list[Path] = []
    keys: list[str] = []
    counts: list[int] = []
    names: list[str] = []
    empty: list[str] = []
    unreadable: list[Problem] = []
    strays = 0
    folders = image_files.list_subfolders(root)
    with Progress("identities", unit="folder") as progress:
        for done, folder in enumerate(folders, start=1):
            progress(done, len(folders))
            try:
                name, entries = folder.name, image_files.list_names(folder)
            except OSError as error:
                unreadable.append(unreadable_folder(folder, error))
                continue
            files = list(filter(image_files.is_image_name, entries))
            strays += len(entries) - len(files)
            if files:
                images += [folder / file for file in files]
                keys += [canonical_name(f"{name}/{file.rpartition('.')[0]}") for file in files]
                counts.append(len(files))
                names.append(name)
            else:
                empty.append(name)
    subject = np.repeat(np.arange(len(names)), counts)
    return IdentityFolders(tuple(images), subject, tuple(names), tuple(empty), strays, tuple(unreadable)), keys


def _read_boxes(path: Path, keys: list[str]) -> BoxList:
    table = read_csv_columns(path, COLUMNS)
    listed_boxes, faults = _parse_boxes(table)
    rows = {key: row for row, key in enumerate(keys)}
    row = np.array([rows.get(canonical_name(name), -1) for name in table.columns["NAME_ID"].tolist()], np.int64)
    boxes = np.full((len(keys), 4), np.nan, np.float32)
    boxes[row[row >= 0]] = listed_boxes[row >= 0]
    without = tuple(table.columns["NAME_ID"][row < 0].tolist())
    return BoxList(path, boxes, without, (*table.faults, *faults))


def _parse_boxes(table: Table) -> tuple[np.ndarray, tuple[Problem, ...]]:
    """Return the boxes of the list, float32 (N, 4), and its problems, including boxes without area."""
    columns: list[np.ndarray] = []
    faults: list[Problem] = []
    for name in COLUMNS[1:]:
        values, column_faults = parse_numbers(table, name, np.arange(len(table)), BOX_RULE)
        columns.append(values)
        faults.extend(column_faults)
    x, y, width, height = columns
    for row in np.flatnonzero((width <= 0) | (height <= 0)):
        message = f"the box is {width[row]:g} wide and {height[row]:g} high; both must be greater than 0"
        faults.append(Problem(ERROR, "box", message, table.path, int(table.lines[row])))
    return box_corners(x, y, width, height), tuple(sorted(faults, key=lambda fault: fault.line or 0))
