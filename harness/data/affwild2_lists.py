"""Test lists of Aff-Wild2, which name the test videos, the test images, or every frame of the test videos."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.data import affwild2_names as names
from harness.data.affwild2_annotations import unread_entries
from harness.data.crop_search import descend, entries, subfolders
from harness.data.image_rows import has_image_column, read_image_rows, read_test_list
from harness.data.problems import ERROR, Problem
from harness.utils.errors import InputError


@dataclass(frozen=True)
class ListSearch:
    """Test lists of a dataset.

    Attributes
    ----------
    lists : mapping of str to Path
        For each task, the list of videos, or the list of frames if there is no list of videos.
    frame_lists : mapping of str to Path
        List that names every frame, by task; in the format of the fifth challenge and later.
    conflicts : mapping of str to Problem
        Error by task, for tasks with several lists that differ.
    problems : tuple of Problem
        Files that are not read.
    files : tuple of Path
        All lists, including lists that conflict.
    """

    lists: Mapping[str, Path] = field(default_factory=dict)
    frame_lists: Mapping[str, Path] = field(default_factory=dict)
    conflicts: Mapping[str, Problem] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    files: tuple[Path, ...] = ()


def find_lists(root: Path, annotation_folders: tuple[Path, ...] = ()) -> ListSearch:
    """Find the test lists in `root`, in its folders named as test sets, and in the folders of annotations."""
    starts = [root, *(folder for folder in subfolders(root) if names.is_list_folder(folder.name)), *annotation_folders]
    folders = dict.fromkeys(folder for start in starts for folder in _with_nested(start, start == root))
    by_video: dict[str, list[Path]] = {}
    by_frame: dict[str, list[Path]] = {}
    problems = []
    for folder in folders:
        unread: list[Path] = []
        for path, is_folder in _entries(folder):
            task, frame_task = names.list_task(path.name), names.frame_list_task(path.name)
            if not is_folder and (task or frame_task == "mtl"):
                by_video.setdefault(task or "mtl", []).append(path)
            elif not is_folder and frame_task:
                by_frame.setdefault(frame_task, []).append(path)
            elif folder not in (root, *annotation_folders) and _is_table(path, is_folder):
                unread.append(path)
        if unread:
            problems.append(unread_entries(folder, unread, "test lists"))
    frame_lists = {task: _preferred(paths) for task, paths in by_frame.items()}
    lists = frame_lists | {task: _preferred(paths) for task, paths in by_video.items()}
    conflicts = {problem[0]: problem[1] for problem in (*_conflicts(by_frame), *_conflicts(by_video))}
    order = [task for task in names.TEST_LISTS if task in lists]
    files = tuple(path for paths in (*by_video.values(), *by_frame.values()) for path in paths)
    return ListSearch({task: lists[task] for task in order}, frame_lists, conflicts, tuple(problems), files)


def _with_nested(folder: Path, is_root: bool, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """Yield a folder and, unless it is the root, the folders of lists in it."""
    entered = descend(folder, above)
    if entered is None:
        return
    yield folder
    for nested in () if is_root else subfolders(folder):
        if names.is_list_folder(nested.name):
            yield from _with_nested(nested, False, entered)


def _entries(folder: Path) -> list[tuple[Path, bool]]:
    try:
        return entries(folder)
    except OSError:  # an unreadable folder of annotations is reported by `find_annotations`
        return []


def _is_table(path: Path, is_folder: bool) -> bool:
    return not is_folder and path.suffix.lower() in (".txt", ".csv")


def _preferred(paths: list[Path]) -> Path:
    """Return the list that is named as a sample, if there is one; otherwise the first list."""
    return next((path for path in paths if "sample" in path.name.lower()), paths[0])


def _conflicts(candidates: Mapping[str, list[Path]]) -> Iterator[tuple[str, Problem]]:
    for task, paths in candidates.items():
        first = _preferred(paths)
        other = next((path for path in paths if path != first and _content(path) != _content(first)), None)
        if other is not None:
            message = f"another test list of task {task} than {first}; keep one of them"
            yield task, Problem(ERROR, "test list", message, other)


def _content(path: Path) -> object:
    """Return the videos or images that a list names, or the error of reading it, for comparison."""
    try:
        if not has_image_column(path):
            return read_test_list(path)
        rows = read_image_rows(path)
        return rows.videos, rows.index.tobytes(), rows.frame.tobytes()
    except InputError as error:
        return str(error)
