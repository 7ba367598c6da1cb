"""Where the parts of an Aff-Wild2 folder (ABAW3 layout) lie, whatever they were unpacked as, and how they are named."""

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
"""The multi-task test list since the fourth challenge."""
MTL_FILES = {
    "train": ("train_set.txt", "training_set_annotations.txt"),
    "validation": ("validation_set.txt", "validation_set_annotations.txt"),
}
CROP_FOLDERS = ("cropped", "cropped_aligned")
FRAME_ZERO = "a crop of frame 0, but frame numbers start at 1; take it out, or number the crops from 1"
CROP_PATTERN = re.compile(r"(\d{1,9})\.(jpg|jpeg|png)", re.IGNORECASE)


@dataclass(frozen=True)
class AffWild2Folders:
    """annotations: the folder that holds the challenges' folders, None without one; crops: that of the video folders.

    files: the annotation files of (task, split), sorted by name; lists: the test list of a task; frame_lists: that of
    the fifth challenge and later, which names every frame (`lists` has it too where there is no list of videos).
    """

    root: Path
    annotations: Path | None
    crops: Path
    files: Mapping[tuple[str, str], tuple[Path, ...]]
    lists: Mapping[str, Path]
    frame_lists: Mapping[str, Path]


def locate_folders(root: Path) -> AffWild2Folders:
    """Find every part; InputError without crops, and where there are neither annotations nor test lists."""
    annotations, crops = find_annotations(root), find_crops(root)
    places = _test_list_folders(root, annotations)
    frame_lists = _find_frame_lists(places)
    lists = frame_lists | _find_test_lists(places)
    if annotations is None and not lists:
        raise InputError(f"{root}: no folder 'Third ABAW Annotations' with a challenge in it, and no test list")
    if crops is None:
        found = "annotations" if annotations else "test lists"
        raise InputError(
            f"{root}: {found} but no face crops; unpack them as {root}/cropped/<video>/00001.jpg (or cropped_aligned/)"
        )
    return AffWild2Folders(
        root, annotations, crops, _find_annotation_files(annotations) if annotations else {}, lists, frame_lists
    )


def has_release_layout(root: Path) -> bool:
    """Whether `root` holds annotations, or crops and the lists of those to be submitted."""
    if find_annotations(root) is not None:
        return True
    if find_crops(root) is None:
        return False
    places = _test_list_folders(root, None)
    return bool(_find_test_lists(places) or _find_frame_lists(places))


def source_video(name: str) -> str:
    """The video file that a (possibly `_left` or `_right`) sequence was cut from."""
    return re.sub(r"_(left|right)$", "", name)


def find_annotations(root: Path) -> Path | None:
    """`root`, its `Third ABAW Annotations` (or `3rd ...`) or one nested in it, whichever has a challenge's folder."""
    if any(_find_entry(root, folder) for folder, _ in CHALLENGES.values()):
        return root
    inside = (
        find_annotations(folder)
        for folder in _subfolders(root)
        if _normalize_name(folder.name).endswith("abawannotations")
    )
    return next((folder for folder in inside if folder), None)


def find_crops(root: Path) -> Path | None:
    """The first of the folders of crops that has folders in it."""
    return next((root / name for name in CROP_FOLDERS if _subfolders(root / name)), None)


def _find_annotation_files(annotations: Path) -> dict[tuple[str, str], tuple[Path, ...]]:
    files: dict[tuple[str, str], tuple[Path, ...]] = {}
    for task, (folder_name, _) in CHALLENGES.items():
        challenge = _find_entry(annotations, folder_name)
        for split in SPLITS if challenge else ():
            names = MTL_FILES[split] if task == "mtl" else SPLIT_FOLDERS[split]
            found = next((path for name in names if (path := _find_entry(challenge, name))), None)
            if found is not None:
                files[task, split] = (found,) if task == "mtl" else _text_files(found)
    return files


def _test_list_folders(root: Path, annotations: Path | None) -> list[Path]:
    """Where test lists may lie; one at the root goes before one in a release folder of its own."""
    beside = [annotations.parent, annotations] if annotations else []
    return [root, *(f for f in _subfolders(root) if "test" in _normalize_name(f.name)), *beside]


def _find_test_lists(places: list[Path]) -> dict[str, Path]:
    names = {task: (name, LATER_MTL_LIST) if task == "mtl" else (name,) for task, (_, name) in CHALLENGES.items()}
    found = {
        task: [path for place in places for name in names[task] if (path := _find_entry(place, name))] for task in names
    }
    return {task: paths[0] for task, paths in found.items() if paths}


def _find_frame_lists(places: list[Path]) -> dict[str, Path]:
    """`CVPR_5th_ABAW_EXPR_test_set_sample.txt` and its like of other tasks and editions."""
    found = {
        task: [
            path
            for place in places
            for path in _text_files(place)
            if _normalize_name(path.name).endswith(f"abaw{task}testsetsampletxt")
        ]
        for task in ("expr", "va", "au")
    }
    return {task: paths[0] for task, paths in found.items() if paths}


def _normalize_name(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()


def _find_entry(folder: Path, name: str) -> Path | None:
    """The entry of that name, upper or lower case, with spaces or underscores."""
    exact = folder / name
    if exact.exists():
        return exact
    try:
        entries = sorted(os.listdir(folder))
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
