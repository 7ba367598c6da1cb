"""AffectNet as released in 2017: CSV lists with face boxes, and images in numbered folders."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from backbones.spec import AFFECTNET
from harness.data import affectnet_labels
from harness.data.annotation_formats import Rule
from harness.data.boxes import box_corners
from harness.data.csv_listing import read_csv_columns
from harness.data.csv_table import Table
from harness.data.image_paths import ImagePaths
from harness.data.layouts import ImageLayout, folder_name
from harness.data.problems import ERROR, WARNING, Problem, first_error
from harness.data.stills import Stills
from harness.data.table_cells import parse_numbers
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
BOX_RULE = Rule(float, lambda v: ~np.isinf(v), "a number of pixels, or NULL for no box", np.nan)


@dataclass(frozen=True, eq=False)
class CsvImageList:
    """Rows of the list of one split.

    Attributes
    ----------
    table : Table
    code : int64 array of shape (N,)
        Code of the expression, 0 to 10; see `affectnet_labels`.
    va : float32 array of shape (N, 2)
        Valence and arousal in [-1, 1]; -5 for no label.
    boxes : float32 array of shape (N, 4)
        Left, top, right, bottom in pixels; NaN for no box.
    paths : str array of shape (N,)
        Image paths as spelled on disk; as in the list if the file does not exist.
    exists : bool array of shape (N,)
        Whether the image file exists.
    valid : bool array of shape (N,)
        Whether the row has no malformed cell.
    faults : tuple of Problem
        Faults in the order of lines.
    """

    table: Table
    code: np.ndarray
    va: np.ndarray
    boxes: np.ndarray
    paths: np.ndarray
    exists: np.ndarray
    valid: np.ndarray
    faults: tuple[Problem, ...]

    @property
    def names(self) -> np.ndarray:
        """Image paths as in the list, str of shape (N,)."""
        return self.table.columns[IMAGE_COLUMN]

    @property
    def expressive(self) -> np.ndarray:
        """Bool mask (N,) of the rows with one of the eight expressions."""
        return self.code < len(AFFECTNET)


class AffectNet2017(ImageLayout):
    """AffectNet as released in 2017. Every image is its own subject; the landmarks are not read.

    Parameters
    ----------
    root : Path
    """

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
        """Return whether `root` has a list and a folder of images."""
        return any(_find_list(root, split) for split in FILES) and any((root / name).is_dir() for name in IMAGE_FOLDERS)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is not used."""
        return cls(root)

    def splits(self) -> tuple[str, ...]:
        """Return the splits that have a list."""
        return tuple(split for split in FILES if _find_list(self.root, split))

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return the images with one of the eight expressions and their boxes, in the order of the list."""
        images = self.image_list(split)
        if images.faults and problems is None:
            raise first_error(images.faults)
        if problems is not None:
            problems.extend(images.faults)
        if not images.exists.any():
            raise InputError(
                f"{self.images}: none of the {len(images.exists):,} images listed in {images.table.path} exists "
                f"(first: {self._describe_missing(images.names[0]) if len(images.names) else ''}); put the images into "
                "this folder"
            )
        rows = np.flatnonzero(images.exists & images.expressive & images.valid)
        names = tuple(images.names[rows].tolist())
        return Stills(
            tuple(self.images / path for path in images.paths[rows].tolist()),
            np.arange(len(rows)),
            names,
            affectnet_labels.parse_expressions(images.code[rows]),
            images.va[rows],
            None,
            AFFECTNET,
            images.boxes[rows],
        )

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        """Return how many rows of the list are excluded, by reason."""
        images = self.image_list(split)
        counts = {
            affectnet_labels.NO_EXPRESSION: int((~images.expressive & images.valid).sum()),
            "no image file": int((~images.exists & images.expressive).sum()),
        }
        return {reason: count for reason, count in counts.items() if count}

    def image_list(self, split: str) -> CsvImageList:
        """Return the list of a split, read at the first call."""
        if self.validate_split(split) not in self._lists:
            self._lists[split] = _read_image_list(self._list_path(split), self.images)
        return self._lists[split]

    def find_problems(self) -> Iterator[Problem]:
        """Yield missing images, images without a box, duplicate rows and images in both lists."""
        for split in self.splits():
            images = self.image_list(split)
            path, lines = images.table.path, images.table.lines
            missing = np.flatnonzero(~images.exists & images.expressive)
            if len(missing):
                message = (
                    f"{len(missing):,} of {len(lines):,} images are missing (first: "
                    f"{self._describe_missing(images.names[missing[0]])}); they are skipped"
                )
                yield Problem(WARNING, "missing image", message, path, int(lines[missing[0]]))
            unboxed = np.flatnonzero(np.isnan(images.boxes[:, 0]) & images.exists & images.expressive)
            if len(unboxed):
                message = (
                    f"{len(unboxed):,} images have no face box (first: {images.names[unboxed[0]]}); "
                    "they are not cropped"
                )
                yield Problem(WARNING, "no box", message, path, int(lines[unboxed[0]]))
            _, first = np.unique(images.names, return_index=True)
            repeated = np.setdiff1d(np.arange(len(lines)), first)
            if len(repeated):
                message = f"{len(repeated):,} rows repeat an image (first: {images.names[repeated[0]]})"
                yield Problem(WARNING, "duplicate row", message, path, int(lines[repeated[0]]))
        yield from self._find_leaks()

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the lists and the folder of images."""
        lists = ", ".join(str(self._list_path(split).relative_to(self.root)) for split in self.splits())
        return (("lists", lists), ("image folder", str(self.images.relative_to(self.root))))

    def _describe_missing(self, name: str) -> str:
        reason = ImagePaths(self.images).explain(name)
        return f"{name}; {reason}" if reason else name

    def _list_path(self, split: str) -> Path:
        path = _find_list(self.root, split)
        assert path is not None
        return path

    def _find_leaks(self) -> Iterator[Problem]:
        if len(self.splits()) < 2:
            return
        train, validation = (self.image_list(split) for split in affectnet_labels.SPLITS)
        shared = np.flatnonzero(np.isin(validation.names, train.names))
        if len(shared):
            message = (
                f"{len(shared):,} images are also in the training list (first: {validation.names[shared[0]]}); "
                "remove them from one list"
            )
            yield Problem(ERROR, "leak", message, validation.table.path, int(validation.table.lines[shared[0]]))


def _find_list(root: Path, split: str) -> Path | None:
    return next((path for folder in LIST_FOLDERS if (path := root / folder / FILES[split]).is_file()), None)


def _read_image_list(path: Path, images: Path) -> CsvImageList:
    table = read_csv_columns(path, READ_COLUMNS, HEADER)
    rules = {
        "expression": affectnet_labels.CODE_RULE,
        "valence": affectnet_labels.AFFECT_RULE,
        "arousal": affectnet_labels.AFFECT_RULE,
    } | dict.fromkeys(BOX_COLUMNS, BOX_RULE)
    rows, values, faults = np.arange(len(table)), {}, list(table.faults)
    for name, rule in rules.items():
        values[name], column_faults = parse_numbers(table, name, rows, rule)
        faults.extend(column_faults)
    names = table.columns[IMAGE_COLUMN].tolist()
    found = list(map(ImagePaths(images).locate, names))
    faulty_lines = {fault.line for fault in faults if fault.line is not None}
    return CsvImageList(
        table,
        values["expression"].astype(np.int64),
        affectnet_labels.parse_affects(values["valence"], values["arousal"]),
        box_corners(*(values[name] for name in BOX_COLUMNS)),
        np.array([path or name for path, name in zip(found, names)], np.str_),
        np.array([path is not None for path in found], bool),
        ~np.isin(table.lines, list(faulty_lines)),
        tuple(sorted(faults, key=lambda fault: fault.line or 0)),
    )
