"""What is recognised in a folder and opened by its layout: data sets of heads, and stills of backbones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import numpy as np

from harness.data.dataset import Dataset, Labels
from harness.data.problems import Problem
from harness.data.stills import Stills
from harness.utils.errors import unknown_name_error


class DatasetLayout(ABC):
    """Something that lies in a folder in a known layout."""

    layout: ClassVar[str]
    """One line for messages: the layout's name and what lies in its folder."""

    @classmethod
    @abstractmethod
    def detect(cls, root: Path) -> bool:
        """Whether `root` has this layout (cheap; reads no label)."""

    @classmethod
    @abstractmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; the seed makes splits where the folder has none."""


AnyLayout = TypeVar("AnyLayout", bound=DatasetLayout)


def detect_layout(root: Path, layouts: Sequence[type[AnyLayout]]) -> type[AnyLayout] | None:
    """The first of the layouts that `root` has, if any."""
    return next((layout for layout in layouts if layout.detect(root)), None)


def describe_layouts(layouts: Sequence[type[DatasetLayout]]) -> str:
    """What could have been there, for messages."""
    return "; ".join(layout.layout for layout in layouts)


SPLITS = ("train", "validation")


class VideoLayout(Dataset, DatasetLayout):
    """A data set in a known layout; `harness.data.registry` holds the list of them."""

    noun: ClassVar[str]
    """What a unit is called: `video`, `subject`."""

    @abstractmethod
    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        """As `Dataset.labels`; with `problems`, faulty files or cells are listed there and left out."""

    @abstractmethod
    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        """Sequences of the test split of a task; none where there is no sound test list."""

    @abstractmethod
    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Faults other than malformed labels; crops: for each sequence, the frame numbers that have a crop."""

    @abstractmethod
    def summary(self) -> tuple[tuple[str, str], ...]:
        """Lines of a summary: what was found where, as (word, text)."""


class ImageLayout(DatasetLayout):
    """A folder of stills in a known layout; `harness.data.registry` holds the list of them."""

    name: str
    root: Path

    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Of `train`, `validation`, `test`: those it has. Subjects of `test` are in no other split."""

    @abstractmethod
    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """The stills of a split whose image file exists.

        Raises InputError with file and line at the first malformed label or box, and where no image exists at all;
        with `problems`, the malformed are listed there and left out.
        """

    @abstractmethod
    def excluded_counts(self, split: str) -> Mapping[str, int]:
        """Why images are not among the stills of a split, with how many: {"no image file": 12}. Empty for none."""

    @abstractmethod
    def find_problems(self) -> Iterator[Problem]:
        """Faults other than malformed labels and boxes."""

    @abstractmethod
    def summary(self) -> tuple[tuple[str, str], ...]:
        """Lines of a summary: what was found where, as (word, text)."""

    def validate_split(self, split: str) -> str:
        """The split's name; InputError when there is none of that name."""
        if split not in self.splits():
            raise unknown_name_error(f"split of {self.root}", split, self.splits())
        return split


def folder_name(root: Path) -> str:
    """The name of a data set after its folder, whatever path it was reached by."""
    return root.resolve().name
