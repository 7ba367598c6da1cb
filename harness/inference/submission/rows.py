"""Rows of a submission: the frames that need a prediction, in the order of the files."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.data.annotation_formats import read_text
from harness.data.image_rows import ImageRows, has_image_column, read_image_rows
from harness.inference.submission.file_format import image_header
from harness.utils.errors import InputError
from harness.utils.names import storable_name

FIRST_CELL = re.compile(r"^[^,\n]+", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Rows:
    """The N rows of a submission.

    Attributes
    ----------
    videos : tuple of str
        Names of the V videos.
    index : ndarray of shape (N,)
        int32 index of the video.
    frame : ndarray of shape (N,)
        int32 frame number, from 1.
    images : ndarray of shape (N,) or None
        Names from the list of images; None if there is no list.
    header : str
        Header of the file, if one file contains all videos.
    """

    videos: tuple[str, ...]
    index: np.ndarray
    frame: np.ndarray
    images: np.ndarray | None
    header: str

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def last(self) -> np.ndarray:
        """Last frame of each video, int64 [V]."""
        last = np.zeros(len(self.videos), np.int64)
        np.maximum.at(last, self.index, self.frame)
        return last

    def names(self) -> np.ndarray:
        """Get the image of each row, object [N]: as listed or, without a list, `<video>/<five-digit frame>.jpg`."""
        if self.images is not None:
            return self.images
        frames = np.char.mod("/%05d.jpg", self.frame).astype(object)
        return np.array(self.videos, dtype=object)[self.index] + frames

    def position(self, videos: Sequence[str], index: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """Find the row of each pair of a video, `videos[index]`, and a frame number; -1 for pairs without a row."""
        numbers = {name: i for i, name in enumerate(self.videos)}
        number = np.array([numbers.get(name, -1) for name in videos], dtype=np.int64)[index]
        keys, first = np.unique(_key(self.index, self.frame), return_index=True)
        queries = _key(number, frame)
        at = np.searchsorted(keys, queries).clip(max=len(keys) - 1)
        return np.where((number >= 0) & (keys[at] == queries), first[at], -1)


def all_frames(task: str, lines: Mapping[str, int]) -> Rows:
    """Make rows for the frames 1 to `lines[video]` of each video, in the order of the mapping."""
    counts = np.array(list(lines.values()), dtype=np.int64)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    frame = np.arange(counts.sum()) - starts + 1
    index = np.repeat(np.arange(len(counts)), counts)
    return Rows(tuple(lines), index.astype(np.int32), frame.astype(np.int32), None, image_header(task))


def read_image_list(path: Path) -> Rows:
    """Read a list of images, keeping order and duplicates; raise InputError if its first line or a row is invalid."""
    if not has_image_column(path):
        raise InputError(
            f"{path}:1: not a list of images; the first line of a list must start with image or image_location"
        )
    rows: ImageRows = read_image_rows(path)
    header, _, body = read_text(path).rstrip().partition("\n")
    images = np.array([name.strip() for name in FIRST_CELL.findall(body)], dtype=object)
    return Rows(rows.videos, rows.index, rows.frame, images, header.strip().rstrip(","))


def require_utf8_names(rows: Rows) -> None:
    """Raise InputError for a video whose name cannot be written into a text file."""
    for name in rows.videos:
        if storable_name(name) != name:
            raise InputError(
                f"the name of video '{storable_name(name)}' is not in UTF-8 and cannot be written into a file of "
                "all videos; rename its folder of crops and its annotations"
            )


def _key(index: np.ndarray, frame: np.ndarray) -> np.ndarray:
    return np.asarray(index, np.int64) << 32 | np.asarray(frame, np.int64)
