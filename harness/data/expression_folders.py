"""Images in folders that are named after expressions, as in common copies of FER2013, RAF-DB and AffectNet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from harness.data import image_files
from harness.data.csv_listing import read_csv_columns
from harness.data.expression_words import are_expressions, are_numbers, parse_expression, parse_number, parse_split
from harness.data.image_table_stills import TableStills
from harness.data.listed_images import ListedImages
from harness.data.problems import WARNING, Problem, first_error, unreadable_folder
from harness.utils.errors import InputError

MAPPING = "expressions.csv"
"""File that maps folders to expressions, with the columns `folder` and `expression`."""
RAF_DB = ("Surprise", "Fear", "Disgust", "Happiness", "Sadness", "Anger", "Neutral")
"""Expressions of RAF-DB by number, from 1 (Li et al. 2017, doi 10.1109/CVPR.2017.277)."""
RAF_DB_NAME = re.compile(r"(train|test)_[0-9]{4,5}(_aligned)?\.(jpg|png)", re.IGNORECASE)
"""Pattern of the names that the images of RAF-DB have in every copy."""
MAX_NAMED = 8


@dataclass(frozen=True)
class ExpressionFolder:
    """One folder of images.

    Attributes
    ----------
    path : Path
    split : str
        '' if the folder belongs to no split.
    """

    path: Path
    split: str


class ExpressionFolders(ListedImages):
    """Images in folders that are named after expressions, optionally in folders of splits.

    Names are English words in upper or lower case, see `harness.data.expression_words`. A file `expressions.csv` may
    map other names to expressions.

    Parameters
    ----------
    root : Path
    seed : int, default 0
        Seed that draws the validation split. It is used only if no validation or test split has images.
    """

    layout = (
        "folders of expressions (train/<expression>/<image>, such as train/happy/1.jpg; the same in val/ and test/)"
    )

    def __init__(self, root: Path, seed: int = 0):
        faults: list[Problem] = []
        folders = find_folders(root, faults)
        expressions = _name_expressions(root, folders)
        self.folders = tuple(folder.path for folder in folders)
        self.unknown = tuple(folder.path for folder in folders if folder.path.name not in expressions)
        unreadable = {fault.file for fault in faults}
        self.unread = tuple(folder for folder in _folders_outside(root, folders) if folder not in unreadable)
        images: list[tuple[str, str, str]] = []
        self.strays: list[tuple[Path, list[str]]] = []
        for folder in folders:
            expression = expressions.get(folder.path.name)
            try:
                names = [] if expression is None else image_files.list_names(folder.path)
            except OSError as error:
                faults.append(unreadable_folder(folder.path, error))
                continue
            place = folder.path.relative_to(root).as_posix()
            images += [
                (f"{place}/{name}", expression, folder.split)
                for name in names
                if expression is not None and image_files.is_image_name(name)
            ]
            if others := [name for name in names if not image_files.is_image_name(name)]:
                self.strays.append((folder.path, others))
        if not expressions:
            raise InputError(
                f"{root}: its folders {', '.join(folder.path.name for folder in folders[:MAX_NAMED])} are not single "
                f"expressions; list them in {root / MAPPING}: the first line is folder,expression, the next lines are "
                f"such as {folders[0].path.name},Happiness"
            )
        if not images and faults:
            raise first_error(faults)
        if not images:
            raise InputError(
                f"{root}: no image in any of its {len(folders):,} folders of expressions; put the images directly into "
                f"the folders, such as {folders[0].path}"
            )
        super().__init__(root, images, seed, tuple(faults))

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether MAPPING exists, or folders in `root` or its splits are named after expressions or numbers."""
        names = {folder.path.name for folder in find_folders(root)}
        return are_expressions(names) or are_numbers(names) or (bool(names) and (root / MAPPING).is_file())

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is used if there are no images of a validation or test split."""
        return cls(root, seed)

    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Yield folders and files that are not read, and the problems of the images."""
        for folder in self.unread:
            message = "this folder has no split and expression, such as train/happy; it is not read"
            yield Problem(WARNING, "unread folder", message, folder)
        for folder in self.unknown:
            message = (
                f"'{folder.name}' is not a known expression; its images are not read. {MAPPING} can say which it is"
            )
            yield Problem(WARNING, "unknown folder", message, folder)
        for folder, names in self.strays:
            message = f"{len(names):,} entries are not images (first: {names[0]}); they are not read"
            yield Problem(WARNING, "no image", message, folder)
        yield from _find_loose_images(self.root, {folder.parent for folder in self.folders} | {self.root})
        yield from super().find_problems(crops)


class ExpressionStills(TableStills):
    """Folders of expressions as still images for training backbones; see `ExpressionFolders`."""

    layout = ExpressionFolders.layout
    table_class = ExpressionFolders


def find_folders(root: Path, faults: list[Problem] | None = None) -> list[ExpressionFolder]:
    """List the folders in the folders of splits. If there are none, list the folders in `root`.

    Parameters
    ----------
    root : Path
    faults : list of Problem, optional
        If given, a problem is appended to it for each folder of a split that cannot be listed.
    """
    folders = image_files.list_subfolders(root)
    in_splits: list[ExpressionFolder] = []
    for folder in folders:
        if (split := parse_split(folder.name)) is None:
            continue
        try:
            in_splits += [ExpressionFolder(path, split) for path in image_files.list_subfolders(folder)]
        except OSError as error:
            if faults is not None:
                faults.append(unreadable_folder(folder, error))
    return in_splits or [ExpressionFolder(path, "") for path in folders]


def _folders_outside(root: Path, folders: list[ExpressionFolder]) -> Iterator[Path]:
    """Yield the folders in `root` that neither are nor contain one of `folders`."""
    for folder in image_files.list_subfolders(root):
        if not any(each.path == folder or each.path.parent == folder for each in folders):
            yield folder


def _find_loose_images(root: Path, parents: set[Path]) -> Iterator[Problem]:
    for folder in sorted(parents):
        if names := image_files.list_image_names(folder):
            message = f"{len(names):,} images are in no folder of an expression (first: {names[0]}); they are not read"
            yield Problem(WARNING, "unread image", message, folder)


def _name_expressions(root: Path, folders: list[ExpressionFolder]) -> dict[str, str]:
    """Return the expression of each folder name that has one; raise InputError for numbers of unknown meaning."""
    names = {folder.path.name for folder in folders}
    if (root / MAPPING).is_file():
        return _read_mapping(root / MAPPING, names)
    if not are_numbers(names):
        return {name: expression for name in names if (expression := parse_expression(name)) is not None}
    if _is_raf_db(folders):
        return {name: RAF_DB[number - 1] for name in names if (number := parse_number(name))}
    listed = sorted(names)
    raise InputError(
        f"{root}: its folders {', '.join(listed[:MAX_NAMED])} are numbers. If they are expressions, list them "
        f"in {root / MAPPING}: the first line is folder,expression, the next lines are such as {listed[0]},Anger "
        "(datasets differ: 0 is Anger in FER2013 and Neutral in AffectNet, 1 is Surprise in RAF-DB). If they are "
        f"people, name the folders such as p{listed[0]}"
    )


def _read_mapping(path: Path, names: set[str]) -> dict[str, str]:
    table = read_csv_columns(path, ("folder", "expression"))
    if table.faults:
        raise first_error(table.faults)
    expressions: dict[str, str] = {}
    for folder, word, line in zip(*(table.columns[name].tolist() for name in ("folder", "expression")), table.lines):
        expression = parse_expression(word)
        if expression is None:
            raise InputError(f"{path}:{line}: '{word}' is not a known expression; write such as Anger or Happiness")
        if folder not in names:
            raise InputError(f"{path}:{line}: no folder '{folder}'; the folders are {', '.join(sorted(names))}")
        expressions[folder] = expression
    return expressions


def _is_raf_db(folders: list[ExpressionFolder]) -> bool:
    """Return whether the folders are numbered from 1 to 7 and the first image of each is named as in RAF-DB."""
    numbers = {parse_number(folder.path.name) for folder in folders}
    try:
        images = [image_files.list_image_names(folder.path) for folder in folders]
    except OSError:
        return False
    named = [bool(RAF_DB_NAME.fullmatch(name)) for names in images for name in names[:1]]
    return numbers <= set(range(1, 8)) and any(named) and all(named)
