"""An image table as a source of stills."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

import numpy as np

from harness.data.image_table import ImageTable
from harness.data.layouts import ImageLayout
from harness.data.problems import Problem
from harness.data.stills import Stills

SPLITS = ("train", "validation", "test")


class TableStills(ImageLayout):
    """The rows of each split, in the table's order; see `ImageTable` for its columns and its splits."""

    layout = ImageTable.layout

    def __init__(self, table: ImageTable):
        self.table = table
        self.root = table.root
        self.name = table.name

    @classmethod
    def detect(cls, root: Path) -> bool:
        return ImageTable.detect(root)

    @classmethod
    def open(cls, root: Path, seed: int) -> Self:
        return cls(ImageTable(root, seed))

    def splits(self) -> tuple[str, ...]:
        return tuple(split for split in SPLITS if (self.table.split == split).any())

    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        return self.table.stills(self.validate_split(split), problems)

    def excluded_counts(self, split: str) -> Mapping[str, int]:
        absent = int(np.sum((self.table.split == self.validate_split(split)) & ~self.table.image_exists))
        return {"no image file": absent} if absent else {}

    def find_problems(self) -> Iterator[Problem]:
        return self.table.find_problems({})

    def summary(self) -> tuple[tuple[str, str], ...]:
        return self.table.summary()
