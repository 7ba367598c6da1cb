"""A cheap look at an image file: is it there, of a known kind, and whole? Its pixels are not decoded."""

from __future__ import annotations

import os
from pathlib import Path

JPEG, JPEG_END = b"\xff\xd8\xff", b"\xff\xd9"
PNG, PNG_END = b"\x89PNG\r\n\x1a\n", b"IEND"
TAIL = 64


def image_fault(path: Path) -> str | None:
    """Why the file cannot be a whole JPEG or PNG image, or None when nothing speaks against it."""
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
    return "neither a JPEG nor a PNG image"
