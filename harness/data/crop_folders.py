"""Sequences of face crops in folders of videos, and the names of these folders."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.data.crop_search import CROP_PATTERN, CropSearch
from harness.data.dataset import Sequence
from harness.data.problems import ERROR, Problem, unreadable_folder

FRAME_ZERO = "a crop of frame 0, but frame numbers start at 1; remove it, or number the crops from 1"


class CropFolders(Mapping[str, Sequence]):
    """Sequences of a dataset, scanned at each access and not cached.

    A name without a folder is a sequence without frames. See `list_crops` for errors.

    Parameters
    ----------
    search : CropSearch
    names : tuple of str
        Names of the sequences.
    """

    def __init__(self, search: CropSearch, names: tuple[str, ...]):
        self.search, self.names = search, dict.fromkeys(names)

    def __getitem__(self, name: str) -> Sequence:
        if name not in self.names:
            raise KeyError(name)
        return list_crops(self.search, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def list_crops(search: CropSearch, name: str) -> Sequence:
    """List the crops of a video.

    Raises
    ------
    InputError
        If the folder of the video cannot be read, or if there is a crop of frame 0.
    """
    return read_crops(name, *video_folder(search, name))


def read_crops(name: str, folder: Path, entries: Iterable[str]) -> Sequence:
    """Return the crops among the names in a folder; raise InputError for a crop of frame 0."""
    matches = ((CROP_PATTERN.fullmatch(file), file) for file in sorted(entries, reverse=True))
    files = sorted({int(match[1]): file for match, file in matches if match}.items())
    images = tuple(folder / file for _, file in files)
    if files and files[0][0] == 0:
        raise Problem(ERROR, "frame number", FRAME_ZERO, images[0]).to_exception()
    return Sequence(name, np.array([frame for frame, _ in files], dtype=np.int32), images)


def video_folder(search: CropSearch, name: str) -> tuple[Path, list[str]]:
    """Return the first folder of a video and its file names (none without a folder); raise InputError if unreadable."""
    folders = search.videos.get(name, ())
    try:
        return (folders[0], os.listdir(folders[0])) if folders else (Path(), [])  # noqa: PTH208 - names alone
    except (FileNotFoundError, NotADirectoryError):
        return folders[0], []
    except OSError as error:
        raise unreadable_folder(folders[0], error).to_exception() from error


def source_video(name: str) -> str:
    """Return the name of the video that a sequence was cut from, without `_left` or `_right`."""
    return re.sub(r"_(left|right)$", "", name)
