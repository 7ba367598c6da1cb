"""Which rows a submission has: the frames that the lists of a split ask for, in their order."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.data.annotations import ImageRows, has_image_column, read_image_rows, read_text
from harness.inference.submission.file_format import image_header
from harness.utils.errors import InputError

FIRST_CELL = re.compile(r"^[^,\n]+", re.MULTILINE)


@dataclass(frozen=True, eq=False)
class Rows:
    """The N rows of a submission.

    videos: V names; index: int32 [N] into them; frame: int32 [N], 1-based. images: [N] names as a list has them, None
    where there is no list of images; header: that of a file of all videos.
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
        """int64 [V]: the last frame of each video."""
        found = np.zeros(len(self.videos), np.int64)
        np.maximum.at(found, self.index, self.frame)
        return found

    def names(self) -> np.ndarray:
        """Object array [N]: the name of each image, five digits where no list has it."""
        if self.images is not None:
            return self.images
        frames = np.char.mod("/%05d.jpg", self.frame).astype(object)
        return np.array(self.videos, dtype=object)[self.index] + frames

    def position(self, videos: Sequence[str], index: np.ndarray, frame: np.ndarray) -> np.ndarray:
        """int64 [M]: a row of each (videos[index], frame), -1 where there is none."""
        own = {name: i for i, name in enumerate(self.videos)}
        number = np.array([own.get(name, -1) for name in videos], dtype=np.int64)[index]
        held, first = np.unique(_key(self.index, self.frame), return_index=True)
        wanted = _key(number, frame)
        at = np.searchsorted(held, wanted).clip(max=len(held) - 1)
        return np.where((number >= 0) & (held[at] == wanted), first[at], -1)


def all_frames(task: str, lines: Mapping[str, int]) -> Rows:
    """The frames 1 to `lines` of each video, in the order of the mapping."""
    counts = np.array(list(lines.values()), dtype=np.int64)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    frame = np.arange(counts.sum()) - starts + 1
    index = np.repeat(np.arange(len(counts)), counts)
    return Rows(tuple(lines), index.astype(np.int32), frame.astype(np.int32), None, image_header(task))


def read_image_list(path: Path) -> Rows:
    """The images that a list names, in its order, duplicates kept; InputError with the line that names none."""
    if not has_image_column(path):
        raise InputError(f"{path}:1: no list of images; its first line starts with image or image_location")
    rows: ImageRows = read_image_rows(path)
    header, _, body = read_text(path).rstrip().partition("\n")
    images = np.array([name.strip() for name in FIRST_CELL.findall(body)], dtype=object)
    return Rows(rows.videos, rows.index, rows.frame, images, header.strip().rstrip(","))


def _key(index: np.ndarray, frame: np.ndarray) -> np.ndarray:
    return np.asarray(index, np.int64) << 32 | np.asarray(frame, np.int64)
