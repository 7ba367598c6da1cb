"""Names of image files and of folders of images. What is in a file is read by `harness.data.image_decoding`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from harness.data.litter import is_directory, is_litter
from harness.utils.names import canonical_name

JPEG_SUFFIXES = ("jpg", "jpeg", "jpe", "jfif", "pjpeg", "mpo")
OTHER_SUFFIXES = ("png", "apng", "bmp", "dib", "tif", "tiff", "webp", "gif", "jp2", "j2k", "avif", "heic", "heif")
NETPBM_SUFFIXES = ("ppm", "pgm", "pbm", "pnm")
SUFFIXES = frozenset((*JPEG_SUFFIXES, *OTHER_SUFFIXES, *NETPBM_SUFFIXES))
"""Suffixes of images. Those that cannot be decoded, such as HEIC, are named when they are read."""


def is_image_name(name: str) -> bool:
    """Return whether a file name has the suffix of an image and is not hidden."""
    return name.rpartition(".")[2].lower() in SUFFIXES and not name.startswith(".")


def list_names(folder: Path | str) -> list[str]:
    """Return the sorted names in a folder that are data, see `is_litter`; empty if there is no folder."""
    try:
        return sorted(name for name in os.listdir(folder) if not is_litter(name))  # noqa: PTH208 - of 290,000 files
    except (FileNotFoundError, NotADirectoryError):
        return []


def list_image_names(folder: Path | str) -> list[str]:
    """Return the sorted names of the image files in a folder, without opening them; empty if there is no folder."""
    return list(filter(is_image_name, list_names(folder)))


def list_subfolders(folder: Path) -> list[Path]:
    """Return the sorted folders in a folder that are data; empty if there is no folder."""
    try:
        with os.scandir(folder) as entries:
            return sorted(folder / entry.name for entry in entries if not is_litter(entry.name) and is_directory(entry))
    except (FileNotFoundError, NotADirectoryError):
        return []


class ListedFiles:
    """Files of a folder that are found by the paths of a list; each subfolder is listed only once.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._names: dict[str, dict[str, str]] = {}

    def find(self, names: Iterable[str]) -> tuple[list[str], np.ndarray]:
        """Find files by their paths relative to the folder, such as `sub/name.jpg`.

        A name is found although the disk composes its characters in another way, as those of macOS do.

        Parameters
        ----------
        names : iterable of str
            N paths.

        Returns
        -------
        paths : list of str
            The N paths as on the disk.
        exists : bool array of shape (N,)
        """
        paths, exists = [], []
        for name in names:
            subfolder, slash, file = name.rpartition("/")
            on_disk = self._entries(subfolder).get(canonical_name(file))
            paths.append(name if on_disk is None else subfolder + slash + on_disk)
            exists.append(on_disk is not None)
        return paths, np.array(exists, bool)

    def _entries(self, subfolder: str) -> dict[str, str]:
        if subfolder not in self._names:
            try:
                names = os.listdir(self.folder / subfolder)  # noqa: PTH208 - names alone, of 290,000 files
            except OSError:
                names = []
            self._names[subfolder] = {canonical_name(name): name for name in sorted(names)}
        return self._names[subfolder]
