"""Hints for folders without a supported layout, such as a folder above or below the dataset's, or other datasets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeVar

from harness.data.affwild2_names import is_annotation_folder
from harness.data.image_files import list_image_names, list_names, list_subfolders
from harness.data.layouts import DatasetLayout, detect_layout
from harness.utils.text import plural

Entry = TypeVar("Entry", str, Path)
CROPS = ("cropped", "cropped_aligned")
"""Folders of crops of videos."""
MAX_NEARBY = 12
"""Maximum number of nearby folders that are searched; each is listed about seven times, perhaps over a network."""
PIXEL_LISTS = ("fer2013.csv", "icml_face_data.csv")
"""Lists of FER2013 with the pixels of the images in their cells."""


def hint_at_layout(root: Path, layouts: Sequence[type[DatasetLayout]]) -> str:
    """Return a phrase on what is in a folder that has none of the layouts; '' if nothing is known about it.

    Parameters
    ----------
    root : Path
    layouts : sequence of layouts
        Layouts to look for in the folders nearby.
    """
    if not root.is_dir():
        return ""
    return next(_hints(root, layouts), "")


def _hints(root: Path, layouts: Sequence[type[DatasetLayout]]) -> Iterator[str]:
    yield from _unreadable_parts(root, layouts)
    folders = _list(list_subfolders, root)
    for folder in islice(_folders_below(folders), MAX_NEARBY):
        if (layout := detect_layout(folder, layouts)) is not None:
            yield f"its folder {folder.relative_to(root)} is {layout.layout}: give {folder}"
    for part in (root.absolute(), root.absolute().parent):
        folder = part.parent
        if (layout := detect_layout(folder, layouts)) is not None and _is_part(part, layout):
            yield f"it is a part of {layout.layout}: give {folder}"
    names = [*_list(list_names, root), *(name for folder in folders[:MAX_NEARBY] for name in _list(list_names, folder))]
    if any(name.lower().startswith("automatically_annotated") for name in names):
        yield (
            "it has the automatically annotated images of AffectNet, whose labels are the outputs of a network and are "
            "not read: give the folder that has Manually_Annotated_file_lists and Manually_Annotated_Images"
        )
    if lists := [name for name in names if name.lower() in PIXEL_LISTS]:
        yield (
            f"{lists[0]} holds pixels, not image files: write each row to an image file in a folder of its split and "
            "expression, such as train/happy"
        )
    if crops := next((folder for folder in folders if folder.name in CROPS and _list(list_subfolders, folder)), None):
        yield (
            f"{crops.name} has crops without labels: write labels.csv beside it, with the columns video, frame and "
            "expression, or others of frame tables"
        )
    tables = [name for name in names if name.lower().endswith((".csv", ".tsv"))]
    if tables:
        yield f"to read {tables[0]}, give that file; it needs the columns image and expression or subject"
    elif images := _list(list_image_names, root):
        yield (
            f"it has {plural(len(images), 'image')} and no labels; list them in a labels.csv with the columns image, "
            "expression and split"
        )


def _unreadable_parts(root: Path, layouts: Sequence[type[DatasetLayout]]) -> Iterator[str]:
    """Yield a phrase for each part of the folder that a layout needs but that cannot be read."""
    for look in (list_subfolders, *(layout.detect for layout in layouts)):
        try:
            look(root)
        except OSError as error:
            yield f"{error.filename or root} cannot be read: {error.strerror}"


def _folders_below(folders: Sequence[Path]) -> Iterator[Path]:
    """Yield the folders, then their subfolders."""
    yield from folders
    for folder in folders:
        yield from _list(list_subfolders, folder)


def _is_part(folder: Path, layout: type[DatasetLayout]) -> bool:
    """Return whether the parent of a folder may be one dataset: it has few other folders, and none is a dataset."""
    siblings = [path for path in _list(list_subfolders, folder.parent) if path != folder]
    others = [path for path in siblings if not is_annotation_folder(path.name)]
    return len(others) <= MAX_NEARBY and not any(detect_layout(path, (layout,)) for path in others)


def _list(list_entries: Callable[[Path], list[Entry]], folder: Path) -> list[Entry]:
    """Return the entries of a folder; empty if it may not be read."""
    try:
        return list_entries(folder)
    except OSError:
        return []
