"""An array of a feature entry that is read by position.

Training asks for blocks all over the entry. Read by position, a block costs one copy; through a memory map it costs a
fault for each of its pages besides (measured: 10 instead of 15 GB/s), its pages count as this process's memory until
they are given back, and a file that ends early ends the process and not the job.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from harness.errors import FramelightError


class StoredArray:
    """An .npy file of an array [T, width] of `dtype`; ValueError or OSError where it is none."""

    def __init__(self, path: Path, width: int, dtype: str) -> None:
        self.path = path
        self._file = open(path, "rb", buffering=0)
        if np.lib.format.read_magic(self._file) != (1, 0):
            raise ValueError("not an array of this store")
        shape, by_columns, found = np.lib.format.read_array_header_1_0(self._file)
        if shape[1:] != (width,) or by_columns or found != dtype:
            raise ValueError(f"holds {list(shape)} of {found}{' by columns' if by_columns else ''}, "
                             f"not [T, {width}] of {dtype}")
        self._start = self._file.tell()
        self._stride = width * found.itemsize

    def __del__(self) -> None:
        if hasattr(self, "_file"):
            self._file.close()

    def read(self, first: int, out: np.ndarray) -> None:
        """Fill `out` [B, D], contiguous and of this array's type, with the rows from `first`; safe in threads.

        FramelightError where the file ends before them.
        """
        at, left = self._start + first * self._stride, out
        while (count := os.preadv(self._file.fileno(), [left], at)) < left.nbytes:
            if not count:
                raise FramelightError(f"{self.path} ends before its row {first + len(out)}; remove "
                                      f"{self.path.parent.parent} and run the command again")
            at, left = at + count, memoryview(left).cast("B")[count:]
