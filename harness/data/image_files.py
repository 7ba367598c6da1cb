"""Quick checks of image files, existence, format and truncation, without decoding pixels."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from backbones.regular_files import open_regular

SUFFIXES = frozenset(("jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"))
JPEG, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
OTHER_SIGNATURES = (b"BM", b"II*\0", b"MM\0*", b"RIFF")
TAIL_BYTES = 64


def image_fault(path: Path) -> str | None:
    """Check the first and last bytes of an image file.

    Returns
    -------
    str or None
        Why the file is not a complete JPEG, PNG, BMP, TIFF or WebP image; None if no problem is found.
    """
    try:
        file = open_regular(path)
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    try:
        size = os.fstat(file.fileno()).st_size
        head = os.pread(file.fileno(), len(PNG), 0)
        tail = os.pread(file.fileno(), TAIL_BYTES, max(0, size - TAIL_BYTES))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        file.close()
    return _content_fault(size, head, tail)


def _content_fault(size: int, head: bytes, tail: bytes) -> str | None:
    if not size:
        return "the file is empty"
    if head.startswith(JPEG):
        return None if JPEG_END in tail else "truncated: the JPEG's end marker is missing"
    if head.startswith(PNG):
        return None if PNG_END in tail else "truncated: the PNG's end chunk is missing"
    return None if head.startswith(OTHER_SIGNATURES) else "not a JPEG, PNG, BMP, TIFF or WebP image"


def is_image_name(name: str) -> bool:
    """Return whether a file name has the suffix of an image and is not hidden."""
    return name.rpartition(".")[2].lower() in SUFFIXES and not name.startswith(".")


def list_image_names(folder: Path | str) -> list[str]:
    """Return the sorted names of the image files in a folder, without opening them; empty if there is no folder."""
    try:
        return sorted(filter(is_image_name, os.listdir(folder)))  # noqa: PTH208 - names alone, of 290,000 files
    except (FileNotFoundError, NotADirectoryError):
        return []


def existence_mask(folder: Path, names: Iterable[str]) -> np.ndarray:
    """Return which files exist in a folder; each subfolder is listed only once.

    Parameters
    ----------
    folder : Path
    names : iterable of str
        N paths relative to `folder`, such as `sub/name.jpg`.

    Returns
    -------
    bool array of shape (N,)
    """
    entries: dict[str, frozenset[str]] = {}
    exists = []
    for name in names:
        subfolder, _, file = name.rpartition("/")
        if subfolder not in entries:
            entries[subfolder] = _entry_names(folder / subfolder)
        exists.append(file in entries[subfolder])
    return np.array(exists, bool)


def _entry_names(folder: Path) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))  # noqa: PTH208 - names alone, of 290,000 files
    except OSError:
        return frozenset()
