"""A cheap look at image files: are they there, of a known kind, and whole? Their pixels are not decoded."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

SUFFIXES = frozenset(("jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"))
JPEG, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
OTHER_SIGNATURES = (b"BM", b"II*\0", b"MM\0*", b"RIFF")
TAIL_BYTES = 64


def image_fault(path: Path) -> str | None:
    """Why the file cannot be a whole JPEG, PNG, BMP, TIFF or WebP image, or None when nothing speaks against it."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except OSError as error:
        return f"cannot be opened: {error.strerror}"
    try:
        size = os.fstat(handle).st_size
        head = os.pread(handle, len(PNG), 0)
        tail = os.pread(handle, TAIL_BYTES, max(0, size - TAIL_BYTES))
    except OSError as error:
        return f"cannot be read: {error.strerror}"
    finally:
        os.close(handle)
    return _content_fault(size, head, tail)


def _content_fault(size: int, head: bytes, tail: bytes) -> str | None:
    if not size:
        return "the file is empty"
    if head.startswith(JPEG):
        return None if JPEG_END in tail else "truncated: the JPEG's end marker is missing"
    if head.startswith(PNG):
        return None if PNG_END in tail else "truncated: the PNG's end chunk is missing"
    return None if head.startswith(OTHER_SIGNATURES) else "neither a JPEG nor a PNG image"


def is_image_name(name: str) -> bool:
    return name.rpartition(".")[2].lower() in SUFFIXES and not name.startswith(".")


def list_image_names(folder: Path | str) -> list[str]:
    """Names of the image files in a folder, sorted, found without a look at any of them; none where it is absent."""
    try:
        return sorted(filter(is_image_name, os.listdir(folder)))
    except (FileNotFoundError, NotADirectoryError):
        return []


def existence_mask(folder: Path, names: Iterable[str]) -> np.ndarray:
    """Bool [N]: which of the files `sub/name.jpg` are in the folder; each sub-folder is listed once."""
    held: dict[str, frozenset[str]] = {}
    found = []
    for name in names:
        sub, _, file = name.rpartition("/")
        if sub not in held:
            held[sub] = _entry_names(os.path.join(folder, sub))
        found.append(file in held[sub])
    return np.array(found, bool)


def _entry_names(folder: str) -> frozenset[str]:
    try:
        return frozenset(os.listdir(folder))
    except OSError:
        return frozenset()
