"""What a folder contains: images, videos, and files that are neither."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from harness.data.image_files import is_image_name
from harness.data.litter import is_directory, is_litter
from harness.utils.errors import InputError
from harness.utils.text import plural
from harness.video.video_files import ANIMATED_SUFFIXES, OTHER_SUFFIXES, VIDEO_SUFFIXES

MAX_SUFFIXES = 6
"""Maximum number of suffixes that a note names."""


@dataclass(frozen=True)
class FolderContents:
    """Names of the entries of a folder, in natural order; hidden entries and litter (`is_litter`) are left out.

    Attributes
    ----------
    images : tuple of str
        Files with the suffix of an image, unless all of them are animated.
    videos : tuple of str
        Files with the suffix of a video. If all images of the folder are animated, they are listed here instead.
    folders : tuple of str
    others : tuple of str
        All other files.
    broken : tuple of str
        Links that lead nowhere or to themselves, except links that are named like videos.
    """

    images: tuple[str, ...]
    videos: tuple[str, ...]
    folders: tuple[str, ...]
    others: tuple[str, ...]
    broken: tuple[str, ...]

    def notes(self) -> Iterator[str]:
        """Yield one sentence about entries that are neither images nor videos, if any, with counts by suffix."""
        unread = (*self.broken, *self.others, *self.folders)
        if not unread:
            return
        counts = Counter(Path(name).suffix.lower() or "without a suffix" for name in self.others)
        parts = [plural(len(self.broken), "broken link")] if self.broken else []
        parts += [f"{count} {suffix}" for suffix, count in counts.most_common(MAX_SUFFIXES)]
        rest = len(self.others) - sum(count for _, count in counts.most_common(MAX_SUFFIXES))
        parts += [plural(rest, "other")] if rest else []
        parts += [plural(len(self.folders), "folder")] if self.folders else []
        yield f"not read, as they are neither images nor videos: {', '.join(parts)} (the first: '{unread[0]}')"


def list_folder(folder: Path) -> FolderContents:
    """List a folder and classify its entries by type and name.

    If all images are animated, they count as videos. Image files are opened until one is not animated.

    Raises
    ------
    InputError
        If the folder cannot be listed.
    """
    images: list[str] = []
    videos: list[str] = []
    folders: list[str] = []
    others: list[str] = []
    broken: list[str] = []
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") or is_litter(entry.name):
                    continue
                if is_directory(entry):
                    folders.append(entry.name)
                elif is_image_name(entry.name):
                    (broken if _is_broken_link(entry) else images).append(entry.name)
                elif is_video_name(entry.name):
                    videos.append(entry.name)
                else:
                    (broken if _is_broken_link(entry) else others).append(entry.name)
    except OSError as error:
        raise InputError(f"{folder}: this folder cannot be listed: {error.strerror or error}") from error
    if images and all(is_animated(folder / name) for name in images):
        images, videos = [], [*videos, *images]
    parts = (images, videos, folders, others, broken)
    return FolderContents(*(tuple(sorted(names, key=natural_key)) for names in parts))


def is_animated(path: Path) -> bool:
    """Return whether a file is an animated image."""
    if path.suffix.lower() not in ANIMATED_SUFFIXES:
        return False
    from harness.video.animation import animated_format

    return bool(animated_format(path))


def _is_broken_link(entry: os.DirEntry[str]) -> bool:
    return entry.is_symlink() and not os.path.exists(entry.path)  # noqa: PTH110 - no path object for each of many files


def is_video_name(name: str) -> bool:
    """Return whether a file name has the suffix of a video."""
    return Path(name).suffix.lower() in (*VIDEO_SUFFIXES, *OTHER_SUFFIXES)


def natural_key(name: str) -> tuple[list[int | str], str]:
    """Return a sort key that puts `frame10` after `frame9`.

    Examples
    --------
    >>> sorted(["frame10", "frame9"], key=natural_key)
    ['frame9', 'frame10']
    """
    parts = re.split("([0-9]+)", name)
    return [int(part) if index % 2 else part.casefold() for index, part in enumerate(parts)], name
