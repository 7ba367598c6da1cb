"""Find the annotation files of Aff-Wild2. The names of their folders differ between editions; folders may be nested."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from backbones.errors import join_first
from harness.data import affwild2_names as names
from harness.data.annotation_formats import read_text
from harness.data.crop_search import descend, entries, leads_up, subfolders
from harness.data.problems import ERROR, WARNING, Problem, unreadable_folder
from harness.utils.errors import InputError
from harness.utils.names import canonical_name
from harness.utils.text import plural

Key = tuple[str, str]
"""Task and split."""
MAX_EXAMPLES = 3


@dataclass(frozen=True)
class AnnotationSearch:
    """Annotation files of a dataset.

    Attributes
    ----------
    folders : tuple of Path
        Folders that contain the folders of the challenges, or multi-task files.
    files : mapping of (str, str) to tuple of Path
        Files by task and split, sorted by name: one file for each video, or a single file for `mtl`.
    conflicts : mapping of (str, str) to tuple of Problem
        Errors about files that contradict each other, by task and split.
    problems : tuple of Problem
        Problems of folders and files, such as those that are not read.
    list_folders : tuple of Path
        Folders that may hold test lists.
    """

    folders: tuple[Path, ...] = ()
    files: Mapping[Key, tuple[Path, ...]] = field(default_factory=dict)
    conflicts: Mapping[Key, tuple[Problem, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    list_folders: tuple[Path, ...] = ()


def find_annotations(root: Path) -> AnnotationSearch:
    """Find the annotation files of all challenges in `root` and in its folders of annotations."""
    scan = _Scan(root)
    scan.annotations(root)
    files, conflicts = {}, {}
    for key in sorted(key for key, paths in scan.files.items() if paths or key[0] != "mtl"):
        files[key], faults = _distinct_files(root, key, scan.files[key])
        scan.problems += [fault for fault in faults if fault.severity == WARNING]
        if errors := tuple(fault for fault in faults if fault.severity == ERROR):
            conflicts[key] = errors
    order = {task: number for number, task in enumerate(names.CHALLENGE_FOLDERS)}
    ordered = {key: files[key] for key in sorted(files, key=lambda key: (order[key[0]], key[1]))}
    return AnnotationSearch(
        tuple(dict.fromkeys(scan.folders)), ordered, conflicts, tuple(scan.problems), tuple(scan.list_folders)
    )


def video_of(path: Path) -> str:
    """Return the name of the video that an annotation file is named after."""
    return path.stem


class _Scan:
    """Walk through the folders of annotations."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.has_crops = any(names.is_crop_folder(path.name) for path in subfolders(root))
        self.folders: list[Path] = []
        self.files: dict[Key, list[Path]] = {}
        self.problems: list[Problem] = []
        self.list_folders: list[Path] = []

    def annotations(self, folder: Path, above: tuple[str, ...] = ()) -> None:
        """Scan a folder for folders of challenges and MTL files; `above` has the real paths of its parent folders."""
        entered, unread = descend(folder, above), list[Path]()
        if entered is None:
            return
        if folder != self.root:
            self.list_folders.append(folder)
        for path, is_folder in self._entries(folder):
            task = names.challenge_task(path.name) if is_folder else None
            split = None if is_folder else names.split_of_loose_file(path.name)
            if task is not None:
                self.folders.append(folder)
                self._challenge(path, task)
                if not any(key[0] == task for key in self.files):
                    message = f"no annotations of task {task} in it; they belong in Train_Set/ and Validation_Set/"
                    self.problems.append(Problem(WARNING, "no annotations", message, path))
            elif split is not None:
                self.folders.append(folder)
                self.files.setdefault(("mtl", split), []).append(path)
            elif is_folder and self._holds_challenges(path):
                self.annotations(path, entered)
            elif is_folder and names.is_challenge(path.name):
                message = "folder of a challenge that is not supported; not read"
                self.problems.append(Problem(WARNING, "not read", message, path))
            elif folder != self.root and not self._may_be_list(path, is_folder):
                unread.append(path)
        self._report_unread(folder, unread)

    def _challenge(self, folder: Path, task: str, above: tuple[str, ...] = ()) -> None:
        entered, unread = descend(folder, above), list[Path]()
        if entered is None:
            return
        self.list_folders.append(folder)
        for path, is_folder in self._entries(folder):
            split = names.split_of(path.name) if is_folder else None
            multitask = names.split_of_multitask_file(path.name) if task == "mtl" and not is_folder else None
            if split is not None:
                self.files.setdefault((task, split), [])
                self._split(path, (task, split))
            elif multitask is not None:
                self.files.setdefault((task, multitask), []).append(path)
            elif is_folder and self._continues_challenge(path.name, task):
                self._challenge(path, task, entered)
            elif not self._may_be_list(path, is_folder):
                unread.append(path)
        self._report_unread(folder, unread)

    def _entries(self, folder: Path) -> list[tuple[Path, bool]]:
        try:
            return entries(folder)
        except OSError as error:
            self.problems.append(unreadable_folder(folder, error))
            return []

    def _holds_challenges(self, folder: Path) -> bool:
        """Return whether a folder is named as annotations, or contains folders of challenges.

        A folder in `root` that is not named as annotations counts only if `root` has crops: without crops, `root` may
        be a folder of several datasets.
        """
        if names.is_annotation_folder(folder.name):
            return True
        if names.is_crop_folder(folder.name) or (folder.parent == self.root and not self.has_crops):
            return False
        if leads_up(folder):
            return False
        return any(names.challenge_task(path.name) for path in subfolders(folder))

    def _continues_challenge(self, name: str, task: str) -> bool:
        return names.challenge_task(name) == task or names.is_annotation_folder(name)

    def _split(self, folder: Path, key: Key, above: tuple[str, ...] = ()) -> None:
        entered, unread = descend(folder, above), list[Path]()
        if entered is None:
            return
        for path, is_folder in self._entries(folder):
            if is_folder and names.split_of(path.name) == key[1]:
                self._split(path, key, entered)
            elif not is_folder and names.is_text(path.name):
                self.files[key].append(path)
            else:
                unread.append(path)
        self._report_unread(folder, unread)

    def _may_be_list(self, path: Path, is_folder: bool) -> bool:
        if is_folder:
            return names.is_list_folder(path.name)
        return (names.list_task(path.name) or names.frame_list_task(path.name)) is not None

    def _report_unread(self, folder: Path, unread: list[Path]) -> None:
        if unread:
            self.problems.append(unread_entries(folder, unread, "annotations"))


def unread_entries(folder: Path, unread: list[Path], what: str) -> Problem:
    """Return the warning about entries of a folder that are not read."""
    examples = join_first((path.name + "/" * path.is_dir() for path in unread), MAX_EXAMPLES)
    verb = "is" if len(unread) == 1 else "are"
    message = f"{examples} {verb} not read: not named as {what} are"
    return Problem(WARNING, "not read", message, folder)


def _distinct_files(root: Path, key: Key, paths: list[Path]) -> tuple[tuple[Path, ...], tuple[Problem, ...]]:
    """Return one file for each video, or a single file for `mtl`, and problems about further files.

    A problem is a warning if the contents are equal, otherwise an error. Links to the same file are no problem.
    """
    ordered = sorted(paths, key=lambda path: (path.name, path))
    first: dict[str, Path] = {}
    copies: dict[tuple[Path, Path], list[tuple[Path, Path]]] = {}
    others: dict[tuple[Path, Path], list[tuple[Path, Path]]] = {}
    for path in ordered:
        used = first.setdefault("" if key[0] == "mtl" else canonical_name(video_of(path)), path)
        if used is not path and used.resolve() != path.resolve():
            pairs = copies if _content(used) == _content(path) else others
            pairs.setdefault((used.parent, path.parent), []).append((used, path))
    warnings = (_copies(root, pairs) for pairs in copies.values())
    return tuple(first.values()), (*warnings, *(_two_files(root, key, pairs) for pairs in others.values()))


def _content(path: Path) -> str:
    """Return the text of a file, or the error of reading it, for comparison."""
    try:
        return read_text(path).rstrip()
    except InputError as error:
        return str(error)


def _copies(root: Path, pairs: list[tuple[Path, Path]]) -> Problem:
    used, other = pairs[0]
    message = f"{plural(len(pairs), 'file')} with the same content as in {used.parent.relative_to(root)}/; not read"
    return Problem(WARNING, "not read", message, other.parent)


def _two_files(root: Path, key: Key, pairs: list[tuple[Path, Path]]) -> Problem:
    (kept, other), where = pairs[0], f"in the {key[1]} split of task {key[0]}"
    more = f" (as {plural(len(pairs) - 1, 'other video')})" if len(pairs) > 1 else ""
    what = "there are two files" if key[0] == "mtl" else f"video '{video_of(other)}'{more} has two annotation files"
    message = f"{what} {where}; the other is {kept.relative_to(root)}, keep one"
    return Problem(ERROR, "two annotations", message, other)
