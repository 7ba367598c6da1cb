"""Names of image files and of folders of images. The contents of files are read by `harness.data.image_decoding`."""

from __future__ import annotations

import os
from pathlib import Path

from harness.data.litter import is_directory, is_litter

JPEG_SUFFIXES = ("jpg", "jpeg", "jpe", "jfif", "pjpeg", "mpo")
OTHER_SUFFIXES = ("png", "apng", "bmp", "dib", "tif", "tiff", "webp", "gif", "jp2", "j2k", "avif", "heic", "heif")
NETPBM_SUFFIXES = ("ppm", "pgm", "pbm", "pnm")
SUFFIXES = frozenset((*JPEG_SUFFIXES, *OTHER_SUFFIXES, *NETPBM_SUFFIXES))
"""Suffixes of image files. Files that cannot be decoded, such as HEIC, are reported when they are read."""


def is_image_name(name: str) -> bool:
    """Return whether a file name has the suffix of an image and is not hidden."""
    stem, _, suffix = name.rpartition(".")
    return bool(stem) and suffix.lower() in SUFFIXES and not name.startswith(".")


def list_names(folder: Path | str) -> list[str]:
    """Return the sorted names in a folder without litter, see `is_litter`; empty if there is no folder."""
    try:
        return sorted(name for name in os.listdir(folder) if not is_litter(name))  # noqa: PTH208 - of 290,000 files
    except (FileNotFoundError, NotADirectoryError):
        return []


def list_image_names(folder: Path | str) -> list[str]:
    """Return the sorted names of the image files in a folder, without opening them; empty if there is no folder."""
    return list(filter(is_image_name, list_names(folder)))


def list_subfolders(folder: Path) -> list[Path]:
    """Return the sorted subfolders of a folder without litter; empty if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if not is_litter(entry.name) and is_directory(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []
