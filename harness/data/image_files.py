"""A cheap look at image files: are they there, of a known kind, and whole? Their pixels are not decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

SUFFIXES = frozenset(("jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"))
JPEG, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
OTHER_KINDS = (b"BM", b"II*\0", b"MM\0*", b"RIFF")
TAIL = 64


def image_fault(path: Path) -> str | None:
    """Why the file cannot be a whole JPEG, PNG, BMP, TIFF or WebP image, or None when nothing speaks against it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    try:
        size = os.fstat(handle).st_size
        head = os.pread(handle, len(PNG), 0)
        tail = os.pread(handle, TAIL, max(0, size - TAIL))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(handle)
    return _fault(size, head, tail)


def _fault(size: int, head: bytes, tail: bytes) -> str | None:
    if not size:
        return "the file is empty"
    if head.startswith(JPEG):
        return None if JPEG_END in tail else "truncated: the JPEG's end marker is missing"
    if head.startswith(PNG):
        return None if PNG_END in tail else "truncated: the PNG's end chunk is missing"
    return None if head.startswith(OTHER_KINDS) else "neither a JPEG nor a PNG image"


def is_image_name(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SUFFIXES and not name.startswith(".")


def names_in(folder: Path | str) -> list[str]:
    """Names of the image files in a folder, sorted, found without a look at any of them; none where it is absent."""
    try:
        return sorted(filter(is_image_name, os.listdir(folder)))
    except (FileNotFoundError, NotADirectoryError):
        return []


def present(folder: Path, names: Iterable[str]) -> np.ndarray:
    """bool [N]: which of the files `sub/name.jpg` are in the folder; each sub-folder is listed once."""
    held: dict[str, frozenset[str]] = {}
    found = []
    for name in names:
        sub, _, file = name.rpartition("/")
        if sub not in held:
            held[sub] = _entries(os.path.join(folder, sub))
        found.append(file in held[sub])
    return np.array(found, bool)


def _entries(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
