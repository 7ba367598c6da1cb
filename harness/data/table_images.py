"""Images of an image table: the names in its rows, and their files."""

from __future__ import annotations

import os
from functools import cached_property
from pathlib import Path

import numpy as np

from harness.data.annotation_formats import shorten
from harness.data.csv_table import Table
from harness.data.image_paths import ImagePaths
from harness.utils.errors import InputError
from harness.utils.names import canonical_name

MAX_PATH = 300


class TableImages:
    """Images of the N rows of a table.

    Parameters
    ----------
    table : Table
    folder : Path
        Folder that the paths in the column `image` are relative to.

    Attributes
    ----------
    names : list of str
        Image of each row, as the table spells it.
    may_lack_all : bool
        Whether a table is accepted even if none of its images exists. `framelight data check` sets it, to check the
        labels.
    """

    def __init__(self, table: Table, folder: Path):
        self._table, self.folder = table, folder
        self.names: list[str] = table.columns["image"].tolist()
        self.may_lack_all = False

    @cached_property
    def distinct(self) -> np.ndarray:
        """Image of each row, str of shape (N,), spelled as in the first row with this image."""
        first: dict[str, str] = {}
        return np.array([first.setdefault(_spelling(name), name) for name in self.names], dtype=np.str_)

    @cached_property
    def paths(self) -> tuple[Path, ...]:
        """Image file of each row."""
        return tuple(file or self.folder / name for file, name in zip(self._files, self.names))

    @cached_property
    def exist(self) -> np.ndarray:
        """Bool mask (N,) of the rows whose image file exists; raises InputError if none does, unless `may_lack_all`."""
        if not self.may_lack_all and (message := self.explain_lack()):
            raise InputError(f"{self._table.path}: {message}")
        return np.array([file is not None for file in self._files], dtype=bool)

    def explain_lack(self) -> str:
        """Return why no image file exists, or "" if one exists."""
        if not self._files or any(self._files):
            return ""
        first = shorten(str(self.paths[0]), MAX_PATH)
        reason = ImagePaths(self.folder).explain(self.names[0])
        reason = reason or "paths in the table must be relative to its folder"
        encoding = [f"; note that it is {note.message}" for note in self._table.warnings if note.kind == "encoding"]
        return f"none of its {len(self._files):,} image files exists (first: {first}); {reason}{''.join(encoding)}"

    @cached_property
    def _files(self) -> tuple[Path | None, ...]:
        return tuple(map(ImagePaths(self.folder).find, self.names))


def _spelling(name: str) -> str:
    """Normalize the Unicode form, the separators and the redundant parts of a path."""
    return os.path.normpath(canonical_name(name).replace("\\", "/"))
