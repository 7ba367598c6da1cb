"""Arrays of the feature store as `.npy` files."""

from __future__ import annotations

import mmap
from pathlib import Path

import numpy as np


class StoredArray:
    """Memory-mapped .npy file.

    Parameters
    ----------
    path : Path
        The file.
    width : int
        Expected number of columns.
    dtype : str
        Expected type.

    Attributes
    ----------
    rows : ndarray of shape (T, width)
        The array, read from disk on access.

    Raises
    ------
    ValueError, OSError
        If the file cannot be read, is truncated, or has another shape or type.
    """

    def __init__(self, path: Path, width: int, dtype: str) -> None:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not an array of this store")
            shape, fortran_order, stored_dtype = np.lib.format.read_array_header_1_0(file)
            if shape[1:] != (width,) or fortran_order or stored_dtype != dtype:
                order = " in Fortran order" if fortran_order else ""
                raise ValueError(
                    f"has shape {list(shape)} and type {stored_dtype}{order}, expected [T, {width}] and {dtype}"
                )
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            start, count = file.tell(), shape[0] * width
        if start + count * stored_dtype.itemsize > len(self._map):
            raise ValueError(f"is truncated before row {shape[0]}")
        self.rows = np.frombuffer(self._map, stored_dtype, count, start).reshape(shape)

    def release(self) -> None:
        """Free memory of this process by unmapping the pages that were read; they stay in the system's page cache."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


def save_array(path: Path, array: np.ndarray) -> None:
    """Write an .npy file; unlike `numpy.save`, this does not hide the cause of an error such as a full disk."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)
