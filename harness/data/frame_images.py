"""Sequences of crops of a frame table that names an image in each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from harness.data.annotation_formats import shorten
from harness.data.coded_table import CodedColumn
from harness.data.dataset import Sequence
from harness.data.frame_rows import FrameRows
from harness.data.image_paths import ImagePaths
from harness.data.label_spreading import frame_keys

MAX_NAME = 200


class ImageSequences(Mapping[str, Sequence]):
    """Sequences of a frame table with a column `image`, each built when it is accessed.

    A row whose image file is missing has no crop. If several rows name images of one frame, the first is used.

    Parameters
    ----------
    folder : Path
        Folder that the paths are relative to.
    images : CodedColumn
        Column `image`.
    rows : FrameRows
    """

    def __init__(self, folder: Path, images: CodedColumn, rows: FrameRows):
        self._paths, self._images, self._names = ImagePaths(folder), images, rows.videos
        spans = rows.spans.take(np.flatnonzero(images.filled[rows.spans.row]))
        keys, index = np.unique(frame_keys(spans.video, spans.first), return_index=True)
        self._rows, self._frames = spans.row[index], spans.first[index].astype(np.int32)
        self._repeated = spans.row[np.setdiff1d(np.arange(len(spans)), index)] if len(keys) < len(spans) else index[:0]
        self._repeated_index = np.searchsorted(keys, frame_keys(*_frames_of(rows, self._repeated)))
        self._bounds = np.searchsorted(keys, np.arange(len(rows.videos) + 1, dtype=np.int64) << 32)
        self._index = {name: number for number, name in enumerate(rows.videos)}

    def __getitem__(self, name: str) -> Sequence:
        part = slice(*self._bounds[self._index[name] :][:2])
        cells = self._images.cells[self._images.codes[self._rows[part]]]
        files = [self._paths.find(cell) for cell in cells.tolist()]
        exist = np.array([file is not None for file in files], dtype=bool)
        return Sequence(name, self._frames[part][exist], tuple(file for file in files if file is not None))

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def find_conflicts(self) -> Iterator[tuple[int, int]]:
        """Yield (row, first row) for each table row whose image differs from the image of the frame's first row."""
        firsts = self._rows[self._repeated_index]
        for row, first in zip(self._repeated.tolist(), firsts.tolist()):
            if self._images[row] != self._images[first]:
                yield row, first

    def explain(self, row: int) -> str:
        """Return a phrase on why the image of a row has no file, and which file may be meant."""
        name = self._images[row]
        if not name:
            return "the cell image is empty"
        reason = self._paths.explain(name)
        return f"no image file {shorten(name, MAX_NAME)}{reason and '; '}{reason}"


def _frames_of(rows: FrameRows, table_rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    index = np.searchsorted(rows.spans.row, table_rows)
    return rows.spans.video[index], rows.spans.first[index]
