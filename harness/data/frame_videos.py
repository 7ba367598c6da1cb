"""Names of the videos of a frame table: from cells that name a video, or from the folders of images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from pathlib import PurePosixPath

from harness.utils.names import canonical_name, path_name

VIDEO_SUFFIXES = frozenset((".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v", ".wmv", ".gif"))
"""Suffixes of video files, which are not part of the names of videos."""


def video_name(cell: str, folders: Mapping[str, str]) -> str:
    """Return the video that a cell names, spelled as its folder of crops; a suffix such as `.mp4` is removed."""
    name = path_name(cell)
    if (folder := folders.get(canonical_name(name))) is not None:
        return folder
    stem, dot, suffix = name.rpartition(".")
    if stem and f"{dot}{suffix}".lower() in VIDEO_SUFFIXES:
        return folders.get(canonical_name(stem), stem)
    return name


def folder_videos(images: list[str]) -> list[str]:
    """Return the video of each image: its folders joined by `_`, without the folders that all images have in common.

    Examples
    --------
    >>> folder_videos(["crops/a/1.jpg", "crops/b/1.jpg"]), folder_videos(["crops/a/1.jpg"]), folder_videos(["1.jpg"])
    (['a', 'b'], ['a'], [''])
    """
    folders = [name.replace("\\", "/").rpartition("/")[0] for name in images]
    parts = {folder: PurePosixPath(canonical_name(folder)).parts for folder in set(folders) if folder}
    shortest = min((len(part) for part in parts.values()), default=1)
    common = 0
    while common < shortest - 1 and len({part[common] for part in parts.values()}) == 1:
        common += 1
    joined = {folder: "_".join(part[common:]) for folder, part in parts.items()}
    names = {part: joined[folder] for folder, part in parts.items()}
    twice = {name for name, count in Counter(names.values()).items() if count > 1}
    return ["" if joined.get(folder, "") in twice else joined.get(folder, "") for folder in folders]
