"""An array of a feature entry behind a memory map whose pages can be given back."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np


class StoredArray:
    """An .npy file of an array [T, width] of `dtype`; ValueError or OSError where it is none, or not whole.

    rows: [T, width], read from the file as they are used.
    """

    def __init__(self, path: Path, width: int, dtype: str) -> None:
        with open(path, "rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not an array of this store")
            shape, by_columns, found = np.lib.format.read_array_header_1_0(file)
            if shape[1:] != (width,) or by_columns or found != dtype:
                raise ValueError(f"holds {list(shape)} of {found}{' by columns' if by_columns else ''}, "
                                 f"not [T, {width}] of {dtype}")
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            start, count = file.tell(), shape[0] * width
        if start + count * found.itemsize > len(self._map):
            raise ValueError(f"ends before its row {shape[0]}")
        self.rows = np.frombuffer(self._map, found, count, start).reshape(shape)

    def release(self) -> None:
        """Let the pages that were read no longer count as this process's memory; the system's cache keeps them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)
