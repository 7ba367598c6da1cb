"""Find the folders with the face crops of videos, however the archives of Aff-Wild2 or users name and nest them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby, islice
from pathlib import Path

from harness.data.affwild2_names import crop_kind, is_annotation_folder, is_crop_folder, squash
from harness.data.litter import is_directory, is_litter
from harness.data.problems import WARNING, Problem, unreadable_folder
from harness.utils.names import canonical_name
from harness.utils.text import plural

CROP_PATTERN = re.compile(r"(\d{1,9})\.(jpg|jpeg|png)", re.IGNORECASE)
"""File names of crops: the frame number and a suffix."""
MAX_DEPTH = 5
"""Maximum depth of nested folders that are searched."""
ONLY_UNREAD = "videos not read"
"""`Problem.kind` for a folder that is not read, although some videos have crops only there."""
RELEASED = ("cropped", "cropped_aligned")
"""Preferred names of folders of crops: the names in the third challenge."""
MAX_PROBED = 3
"""Maximum number of subfolders that are searched to find out whether a folder holds crops."""


@dataclass(frozen=True)
class VideoFolder:
    """A folder of crops of one video.

    Attributes
    ----------
    path : Path
    kind : str
        See `crop_kind`.
    has_crops : bool
    """

    path: Path
    kind: str
    has_crops: bool


@dataclass(frozen=True)
class CropSearch:
    """Folders of crops of a dataset.

    Attributes
    ----------
    root : Path
    folders : tuple of Path
        Folders that contain folders of videos, sorted.
    videos : mapping of str to tuple of Path
        Folders that contain crops of each video; only the first is read. If no folder of a video contains crops, one
        folder without crops.
    problems : tuple of Problem
        Problems of folders of crops, such as folders and files that are not read.
    without_crops : tuple of str
        Names of the videos whose folder has no crop.
    """

    root: Path
    folders: tuple[Path, ...] = ()
    videos: Mapping[str, tuple[Path, ...]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    without_crops: tuple[str, ...] = ()


def find_crops(root: Path) -> CropSearch:
    """Find the folders of crops of all videos.

    The folders of videos may be in several parent folders, such as `cropped` and `batch1`. The parent folders may be
    nested, depending on how the archives were unpacked. If there are both cropped and aligned faces, only one kind is
    read.
    """
    found = {top: list(_video_folders(top, root)) for top in _crop_folders(root)}
    tops = [top for top in found if _names_crops(top) or any(video.has_crops for video in found[top])]
    videos = [video for top in tops for video in found[top]]
    kind = _choose_kind(root, videos)
    chosen = [video for video in videos if video.kind == kind]
    folders = sorted({video.path.parent for video in chosen})
    problems = [*_unread_kinds(root, videos, kind), *_unnamed_crops(root, tops)]
    for folder in sorted({*tops, *folders}):
        problems += _loose_files(folder)
    by_name = _folders_by_video(root, chosen)
    filled = {video.path for video in chosen if video.has_crops}
    without_crops = tuple(name for name, paths in by_name.items() if paths[0] not in filled)
    return CropSearch(root, tuple(folders), by_name, tuple(problems), without_crops)


def subfolders(folder: Path) -> list[Path]:
    """Return the subfolders among the `entries` of a folder; empty if the folder cannot be listed."""
    try:
        return [path for path, is_folder in entries(folder) if is_folder]
    except OSError:
        return []


def entries(folder: Path) -> list[tuple[Path, bool]]:
    """Return the entries of a folder and whether each is a folder, sorted.

    Hidden entries and files of operating systems are left out, see `is_litter`. An entry may be a link to the folder
    itself or to a folder above it; `descend` detects such loops.

    Raises
    ------
    OSError
        If the folder cannot be listed.
    """
    with os.scandir(folder) as scanned:
        return sorted((Path(e.path), is_directory(e)) for e in scanned if not is_litter(e.name))


def descend(folder: Path, above: tuple[str, ...] = ()) -> tuple[str, ...] | None:
    """Return `above` with the real path of `folder` added, or None if that path is already in `above` or too deep.

    Parameters
    ----------
    folder : Path
    above : tuple of str
        Real paths of the folders through which `folder` was reached.
    """
    real = os.path.realpath(folder)  # Path.resolve raises for a loop of links
    return None if real in above or len(above) >= MAX_DEPTH else (*above, real)


def leads_up(path: Path) -> bool:
    """Return whether an entry of a folder is a link to that folder or to one above it."""
    return path.is_symlink() and Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(path))


def _crop_folders(root: Path) -> list[Path]:
    """Return the folders whose names mark crops, in `root` or in one of its subfolders other than annotations."""
    tops = []
    for folder in subfolders(root):
        if is_crop_folder(folder.name):
            tops.append(folder)
        elif not is_annotation_folder(folder.name) and not leads_up(folder):
            tops += filter(_names_crops, subfolders(folder))
    return tops


def _names_crops(folder: Path) -> bool:
    """Return whether a folder's name begins with `crop`; `batch1` and the like may contain video files instead."""
    return squash(folder.name).startswith("crop")


def _video_folders(folder: Path, root: Path, above: tuple[str, ...] = ()) -> Iterator[VideoFolder]:
    """Yield the folders of videos in a folder.

    If a subfolder has no crops but contains folders of videos with crops, those folders are yielded instead.
    """
    entered = descend(folder, above)
    if entered is None:
        return
    for path in subfolders(folder):
        if leads_up(path):
            continue
        has_crops, nested = _probe(path)
        inner = [] if has_crops or not nested else list(_video_folders(path, root, entered))
        if any(video.has_crops for video in inner):
            yield from inner
        else:
            yield VideoFolder(path, crop_kind(path.parent.relative_to(root).parts), has_crops)


def _probe(folder: Path) -> tuple[bool, bool]:
    """Return whether a folder has a crop and, if it has none, whether it has subfolders."""
    nested = False
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if CROP_PATTERN.fullmatch(entry.name):
                    return True, False
                nested = nested or (not is_litter(entry.name) and is_directory(entry))
    except OSError:
        return False, False
    return False, nested


def _choose_kind(root: Path, videos: list[VideoFolder]) -> str | None:
    """Return the kind of crops to read, or None if there are no videos.

    Videos without crops are considered only if no video has crops. The order of preference is cropped, aligned, other.
    If `root` has `cropped_aligned` but not `cropped`, aligned comes first.
    """
    for usable in ([video for video in videos if video.has_crops], videos):
        tops = {video.path.relative_to(root).parts[0] for video in usable}
        kinds = [*(("cropped",) if "cropped" in tops else ("aligned",) if "cropped_aligned" in tops else ())]
        kinds += ["cropped", "aligned", "other"]
        chosen = next((kind for kind in kinds if any(video.kind == kind for video in usable)), None)
        if chosen is not None:
            return chosen
    return None


def _folders_by_video(root: Path, videos: list[VideoFolder]) -> dict[str, tuple[Path, ...]]:
    """Return the folders of each video: those in `cropped` or `cropped_aligned` first, then in order of depth."""
    by_name: dict[str, list[VideoFolder]] = {}
    paths = {video: video.path.relative_to(root).parts for video in videos}
    for video in sorted(videos, key=lambda video: (paths[video][0] not in RELEASED, len(paths[video]), video.path)):
        by_name.setdefault(canonical_name(video.path.name), []).append(video)
    distinct = sorted(map(_distinct_folders, by_name.values()), key=lambda folders: folders[0].name)
    return {folders[0].name: folders for folders in distinct}


def _distinct_folders(folders: list[VideoFolder]) -> tuple[Path, ...]:
    """Return the folders with crops, or the first folder if none has crops; links to the same folder count once."""
    paths = [folder.path for folder in folders if folder.has_crops] or [folders[0].path]
    if len(paths) == 1:
        return (paths[0],)
    by_target: dict[str, Path] = {}
    for path in paths:
        by_target.setdefault(os.path.realpath(path), path)
    return tuple(by_target.values())


def _unread_kinds(root: Path, videos: list[VideoFolder], kind: str | None) -> Iterator[Problem]:
    """Yield a problem for each folder with crops of a kind that is not read."""
    read = {canonical_name(video.path.name) for video in videos if video.kind == kind and video.has_crops}
    used = sorted({video.path.parent for video in videos if video.kind == kind})
    unread = sorted((v for v in videos if v.kind != kind and v.has_crops), key=lambda video: video.path.parent)
    for parent, group in groupby(unread, key=lambda video: video.path.parent):
        names = {canonical_name(video.path.name) for video in group}
        only = sorted(names - read)
        message = (
            f"{plural(len(names), 'folder')} of crops not read, because {used[0].relative_to(root)}/ has another "
            "kind of crops"
        )
        if only:
            message += f"; {plural(len(only), 'video')} with crops only here, such as '{only[0]}'"
        message += "; to use these crops, move the others away"
        yield Problem(WARNING, ONLY_UNREAD if only else "not read", message, parent)


def _loose_files(folder: Path) -> Iterator[Problem]:
    """Yield a problem if there are files beside the folders of videos, or if the folder cannot be read."""
    try:
        names = [path.name for path, is_folder in entries(folder) if not is_folder]
    except OSError as error:
        yield unreadable_folder(folder, error)
        return
    if names:
        message = f"{plural(len(names), 'file')} outside of the folders of videos, such as {names[0]}; not read"
        yield Problem(WARNING, "not read", message, folder)


def _unnamed_crops(root: Path, tops: list[Path]) -> Iterator[Problem]:
    """Yield a problem for each folder whose subfolders contain files named like crops, but whose name is another."""
    for folder in subfolders(root):
        if is_annotation_folder(folder.name) or any(top.is_relative_to(folder) for top in tops):
            continue
        if any(_probe(path)[0] for path in islice(subfolders(folder), MAX_PROBED)):
            message = "holds folders of numbered images, but is not read; rename it to cropped if these are crops"
            yield Problem(WARNING, "not read", message, folder)
