"""Locate the parts of an Aff-Wild2 folder: crops, annotations and test lists, as named in any edition."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backbones.errors import join_first
from harness.data.affwild2_annotations import Key, find_annotations
from harness.data.affwild2_lists import find_lists
from harness.data.affwild2_names import is_crop_folder
from harness.data.crop_search import CropSearch, entries, find_crops
from harness.data.problems import ERROR, Problem
from harness.utils.errors import InputError
from harness.utils.text import plural

VIDEOS = "videos"
"""Folder of the video files, from which `framelight submit` counts frames."""

MAX_UNREAD = 8
"""Maximum number of unread entries that the summary names."""


@dataclass(frozen=True)
class AffWild2Folders:
    """Paths of the parts of an Aff-Wild2 folder.

    Attributes
    ----------
    root : Path
    annotations : tuple of Path
        Folders with the folders of the challenges or multi-task files; empty without annotations.
    crops : CropSearch
        Folders of crops by video.
    files : mapping of (str, str) to tuple of Path
        Annotation files by task and split, sorted by name.
    lists : mapping of str to Path
        Test list by task.
    frame_lists : mapping of str to Path
        Test list that names every frame, by task, in the format of the fifth challenge and later. It is also in `lists`
        if there is no list of videos.
    conflicts : mapping of (str, str) to tuple of Problem
        Errors about files that contradict each other, by task and split; `test` is included.
    problems : tuple of Problem
        Problems of folders and files, such as files that look like data but are not read.
    unread : tuple of Path
        Other entries of `root` that are not read.
    """

    root: Path
    annotations: tuple[Path, ...]
    crops: CropSearch
    files: Mapping[Key, tuple[Path, ...]]
    lists: Mapping[str, Path]
    frame_lists: Mapping[str, Path]
    conflicts: Mapping[Key, tuple[Problem, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    unread: tuple[Path, ...] = ()


def locate_folders(root: Path) -> AffWild2Folders:
    """Locate all parts of an Aff-Wild2 folder.

    Raises
    ------
    InputError
        If there are no crops, or neither annotations nor test lists, or if a folder of crops cannot be read.
    """
    annotations, crops = find_annotations(root), find_crops(root)
    lists = find_lists(root, annotations.list_folders)
    if not annotations.folders and not lists.lists:
        raise InputError(
            f"{root}: no annotations and no test list; put the folder 'Third ABAW Annotations' or a test list there"
        )
    unreadable = next((problem for problem in crops.problems if problem.severity == ERROR), None)
    if unreadable is not None:
        raise unreadable.to_exception()
    if not crops.folders:
        raise _no_crops(root, crops, "annotations" if annotations.folders else "test lists")
    problems = (*annotations.problems, *crops.problems, *lists.problems)
    read = (*crops.folders, *lists.files, *(path for paths in annotations.files.values() for path in paths[:1]))
    used = [*read, *annotations.list_folders, *(problem.file for problem in problems)]
    return AffWild2Folders(
        root,
        annotations.folders,
        crops,
        annotations.files,
        lists.lists,
        lists.frame_lists,
        {**annotations.conflicts, **{(task, "test"): (problem,) for task, problem in lists.conflicts.items()}},
        problems,
        _unread_entries(root, used),
    )


def has_release_layout(root: Path) -> bool:
    """Return whether `root` has annotations, or both crops and test lists.

    Without annotations, a test list or a folder of crops must be in `root` itself, as `root` may be a folder of several
    datasets.
    """
    if find_annotations(root).folders:
        return True
    lists = find_lists(root).lists
    crops = find_crops(root).folders if lists else ()
    top_lists = any(path.parent == root for path in lists.values())
    return bool(crops) and (top_lists or any(is_crop_folder(folder.relative_to(root).parts[0]) for folder in crops))


def summarize(folders: AffWild2Folders) -> tuple[tuple[str, str], ...]:
    """Return the parts of a dataset and their locations as (label, text)."""
    root, crops = folders.root, folders.crops
    counts = Counter(path.parent for paths in crops.videos.values() for path in paths)
    lists: dict[Path, list[str]] = {}
    for task, path in folders.lists.items():
        lists.setdefault(path.parent, []).append(task)
    none = "none, so training and scoring are not possible; `framelight submit` predicts the test lists"
    unread = [path.name + "/" * path.is_dir() for path in folders.unread]
    return (
        *(("crops", f"{_relative(folder, root)}, {plural(counts[folder], 'folder')}") for folder in crops.folders),
        *(("annotations", _relative(folder, root)) for folder in folders.annotations),
        *(() if folders.annotations else (("annotations", none),)),
        *(("test lists", f"{', '.join(tasks)}: {_relative(folder, root)}") for folder, tasks in lists.items()),
        *((("not read", join_first(unread, MAX_UNREAD)),) if unread else ()),
    )


def _relative(folder: Path, root: Path) -> str:
    return "in the folder itself" if folder == root else f"{folder.relative_to(root)}/"


def _no_crops(root: Path, crops: CropSearch, available: str) -> InputError:
    others = "; ".join(f"{problem.file.name}/ {problem.message}" for problem in crops.problems)
    hint = f" ({others})" if others else ""
    return InputError(
        f"{root}: {available} but no face crops; unpack them as {root}/cropped/<video>/00001.jpg "
        f"(or cropped_aligned/){hint}"
    )


def _unread_entries(root: Path, used: list[Path]) -> tuple[Path, ...]:
    """Return the entries of `root` of which no part is read or reported as a problem."""
    return tuple(
        path
        for path, _ in entries(root)
        if path.name != VIDEOS and not any(part.is_relative_to(path) for part in used if part != root)
    )
