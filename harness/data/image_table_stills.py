"""Image table as still images for training backbones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar, Self

import numpy as np

from harness.data.image_table import ImageTable
from harness.data.layouts import ImageLayout
from harness.data.problems import Problem
from harness.data.stills import Stills

SPLITS = ("train", "validation", "test")


class TableStills(ImageLayout):
    """Still images of an image table, in the order of its rows; see `ImageTable` for columns and splits.

    Parameters
    ----------
    table : ImageTable
    """

    layout = ImageTable.layout
    table_class: ClassVar[type[ImageTable]] = ImageTable

    def __init__(self, table: ImageTable):
        self.table = table
        self.root = table.root
        self.name = table.name

    @classmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` has the layout of the table."""
        return cls.table_class.detect(root)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is used if the table has no splits."""
        return cls(cls.table_class(root, seed))

    def splits(self) -> tuple[str, ...]:
        """Return the splits that have rows."""
        return tuple(split for split in SPLITS if (self.table.split == split).any())

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return the rows of a split whose image exists."""
        return self.table.stills(self.validate_split(split), problems)

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        """Return how many rows of a split are excluded, by reason."""
        missing = int(np.sum((self.table.split == self.validate_split(split)) & ~self.table.image_exists))
        return {"no image file": missing} if missing else {}

    def find_problems(self) -> Iterator[Problem]:
        """Yield problems of the table; see `ImageTable.find_problems`."""
        return self.table.find_problems({})

    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return the summary of the table; see `ImageTable.summary`."""
        return self.table.summary()
