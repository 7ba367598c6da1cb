"""Locate the parts of an Aff-Wild2 folder (ABAW3 layout), which may have been unpacked under several names."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from harness.data.layouts import SPLITS
from harness.utils.errors import InputError

CHALLENGES = {
    "expr": ("EXPR_Classification_Challenge", "Expression_Classification_Challenge_test_set_release.txt"),
    "va": ("VA_Estimation_Challenge", "Valence_Arousal_Estimation_Challenge_test_set_release.txt"),
    "au": ("AU_Detection_Challenge", "Action_Unit_Detection_Challenge_test_set_release.txt"),
    "mtl": ("MTL_Challenge", "Multi_Task_Learning_Challenge_test_set_release.txt"),
}
SPLIT_FOLDERS = {"train": ("Train_Set", "Training_Set"), "validation": ("Validation_Set",)}
LATER_MTL_LIST = "MTL_Challenge_test_set_release.txt"
"""Name of the multi-task test list since the fourth challenge."""
MTL_FILES = {
    "train": ("train_set.txt", "training_set_annotations.txt"),
    "validation": ("validation_set.txt", "validation_set_annotations.txt"),
}
CROP_FOLDERS = ("cropped", "cropped_aligned")
FRAME_ZERO = "a crop of frame 0, but frame numbers start at 1; remove it, or number the crops from 1"
CROP_PATTERN = re.compile(r"(\d{1,9})\.(jpg|jpeg|png)", re.IGNORECASE)


@dataclass(frozen=True)
class AffWild2Folders:
    """Paths of the parts of an Aff-Wild2 folder.

    Attributes
    ----------
    root : Path
    annotations : Path or None
        Folder with the folders of the challenges; None without annotations.
    crops : Path
        Folder with one folder of crops for each video.
    files : mapping of (str, str) to tuple of Path
        Annotation files by task and split, sorted by name.
    lists : mapping of str to Path
        Test list by task.
    frame_lists : mapping of str to Path
        Test list by task in the format of the fifth challenge and later, which names every frame. It is also in `lists`
        if there is no list of videos.
    """

    root: Path
    annotations: Path | None
    crops: Path
    files: Mapping[tuple[str, str], tuple[Path, ...]]
    lists: Mapping[str, Path]
    frame_lists: Mapping[str, Path]


def locate_folders(root: Path) -> AffWild2Folders:
    """Locate all parts of an Aff-Wild2 folder.

    Raises
    ------
    InputError
        If there are no crops, or neither annotations nor test lists.
    """
    annotations, crops = find_annotations(root), find_crops(root)
    folders = _test_list_folders(root, annotations)
    frame_lists = _find_frame_lists(folders)
    lists = frame_lists | _find_test_lists(folders)
    if annotations is None and not lists:
        raise InputError(
            f"{root}: no annotations and no test list; put the folder 'Third ABAW Annotations' or a test list there"
        )
    if crops is None:
        available = "annotations" if annotations else "test lists"
        raise InputError(
            f"{root}: {available} but no face crops; unpack them as {root}/cropped/<video>/00001.jpg "
            "(or cropped_aligned/)"
        )
    return AffWild2Folders(
        root, annotations, crops, _find_annotation_files(annotations) if annotations else {}, lists, frame_lists
    )


def has_release_layout(root: Path) -> bool:
    """Return whether `root` has annotations, or crops and test lists."""
    if find_annotations(root) is not None:
        return True
    if find_crops(root) is None:
        return False
    folders = _test_list_folders(root, None)
    return bool(_find_test_lists(folders) or _find_frame_lists(folders))


def source_video(name: str) -> str:
    """Return the name of the video that a sequence was cut from, without `_left` or `_right`."""
    return re.sub(r"_(left|right)$", "", name)


def find_annotations(root: Path) -> Path | None:
    """Find the folder with the folders of the challenges: `root`, or a (nested) `Third ABAW Annotations`."""
    if any(_find_entry(root, folder) for folder, _ in CHALLENGES.values()):
        return root
    nested = (
        find_annotations(folder)
        for folder in _subfolders(root)
        if _normalize_name(folder.name).endswith("abawannotations")
    )
    return next((folder for folder in nested if folder), None)


def find_crops(root: Path) -> Path | None:
    """Return the first folder of crops that contains folders, or None."""
    return next((root / name for name in CROP_FOLDERS if _subfolders(root / name)), None)


def _find_annotation_files(annotations: Path) -> dict[tuple[str, str], tuple[Path, ...]]:
    files: dict[tuple[str, str], tuple[Path, ...]] = {}
    for task, (folder_name, _) in CHALLENGES.items():
        challenge = _find_entry(annotations, folder_name)
        if challenge is None:
            continue
        for split in SPLITS:
            names = MTL_FILES[split] if task == "mtl" else SPLIT_FOLDERS[split]
            path = next((path for name in names if (path := _find_entry(challenge, name))), None)
            if path is not None:
                files[task, split] = (path,) if task == "mtl" else _text_files(path)
    return files


def _test_list_folders(root: Path, annotations: Path | None) -> list[Path]:
    """Return the folders that may contain test lists, `root` first."""
    annotation_folders = [annotations.parent, annotations] if annotations else []
    return [root, *(f for f in _subfolders(root) if "test" in _normalize_name(f.name)), *annotation_folders]


def _find_test_lists(folders: list[Path]) -> dict[str, Path]:
    names = {task: (name, LATER_MTL_LIST) if task == "mtl" else (name,) for task, (_, name) in CHALLENGES.items()}
    candidates = {
        task: [path for folder in folders for name in names[task] if (path := _find_entry(folder, name))]
        for task in names
    }
    return {task: paths[0] for task, paths in candidates.items() if paths}


def _find_frame_lists(folders: list[Path]) -> dict[str, Path]:
    """Find `CVPR_5th_ABAW_EXPR_test_set_sample.txt` and the lists of other tasks and editions."""
    candidates = {
        task: [
            path
            for folder in folders
            for path in _text_files(folder)
            if _normalize_name(path.name).endswith(f"abaw{task}testsetsampletxt")
        ]
        for task in ("expr", "va", "au")
    }
    return {task: paths[0] for task, paths in candidates.items() if paths}


def _normalize_name(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _find_entry(folder: Path, name: str) -> Path | None:
    """Return the entry of that name, ignoring case, spaces and underscores; or None."""
    exact = folder / name
    if exact.exists():
        return exact
    try:
        entries = sorted(path.name for path in folder.iterdir())
    except OSError:
        return None
    return next((folder / entry for entry in entries if _normalize_name(entry) == _normalize_name(name)), None)


def _subfolders(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return sorted(Path(entry.path) for entry in entries if entry.is_dir())
    except OSError:
        return []


def _text_files(folder: Path) -> tuple[Path, ...]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in entries if entry.is_file() and not entry.name.startswith(".")]
    return tuple(folder / name for name in sorted(names) if name.endswith(".txt"))
