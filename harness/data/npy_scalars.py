"""Fast reader of .npy files with a single number. It never unpickles objects."""

from __future__ import annotations

import ast
import os
from math import prod
from typing import Any

import numpy as np

from backbones.regular_files import open_regular

MAGIC = b"\x93NUMPY"
HEADER_OFFSETS = {1: 10, 2: 12, 3: 12}
"""Offset of the header text by version of the format."""
MAX_BYTES = 8192
DTYPE_KINDS = "iufUS"


class NpyScalarReader:
    """Reader of .npy files with a single number; caches parsed headers, which most files share."""

    def __init__(self) -> None:
        self._headers: dict[bytes, np.dtype] = {}

    def read(self, path: str | os.PathLike) -> float:
        """Read the number in a file: the single element of an array, which is an integer, a float or text.

        Parameters
        ----------
        path : path-like

        Returns
        -------
        float

        Raises
        ------
        FileNotFoundError
            If there is no file.
        ValueError
            If the file has other contents; the message is a phrase for the user.
        """
        with open_regular(path) as file:
            data = file.read(MAX_BYTES)
        start = _data_offset(data)
        kind = self._headers.get(data[:start])
        if kind is None:
            kind = self._headers[data[:start]] = _parse_header(data[:start])
        if len(data) - start != kind.itemsize:
            raise ValueError("the .npy file is truncated or longer than its header says")
        return _to_float(np.frombuffer(data, kind, 1, start))


def _data_offset(data: bytes) -> int:
    """Return the offset of the value, which follows the header."""
    if not data.startswith(MAGIC) or len(data) < 12:
        raise ValueError("not a .npy file" if data else "the file is empty")
    if data[6] not in HEADER_OFFSETS:
        raise ValueError(f"the .npy file has version {data[6]}, which is not supported")
    text = HEADER_OFFSETS[data[6]]
    start = text + int.from_bytes(data[8:text], "little")
    if start > len(data):
        raise ValueError("the .npy file is truncated")
    return start


def _parse_header(data: bytes) -> np.dtype:
    """Return the dtype of the single value that a header describes."""
    try:
        header = ast.literal_eval(data[HEADER_OFFSETS[data[6]] :].decode("latin-1").strip())
        shape, kind = header["shape"], np.lib.format.descr_to_dtype(header["descr"])
        count = prod(shape)
    except (ValueError, TypeError, KeyError, SyntaxError, RecursionError, MemoryError) as error:
        raise ValueError("its .npy header cannot be read") from error
    if kind.hasobject:
        raise ValueError("it holds a pickled Python object, which is never read")
    if count != 1 or kind.kind not in DTYPE_KINDS:
        raise ValueError(f"it holds {kind} values of shape {shape}, not one number")
    return kind


def _to_float(values: np.ndarray) -> float:
    text: Any = values.tobytes()
    try:
        if values.dtype.kind == "U":  # numpy raises SystemError for invalid characters
            text = values.astype(values.dtype.newbyteorder("<")).tobytes().decode("utf-32-le").rstrip("\0")
        elif values.dtype.kind == "S":
            text = values[0].decode("latin-1")
        else:
            text = values[0]
        return float(text)
    except ValueError:
        raise ValueError(f"it holds '{text}', not a number") from None
