"""Base classes of the supported folder layouts: video datasets for heads, still images for backbones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar

import numpy as np

from backbones.errors import wrap_item
from harness.data.dataset import Dataset, Labels
from harness.data.problems import Problem
from harness.data.stills import Stills
from harness.utils.errors import unknown_name_error
from harness.utils.names import storable_name


class DatasetLayout(ABC):
    """Base class of all layouts.

    Attributes
    ----------
    layout : str
        One line for messages: the name of the layout and the expected contents of the folder.
    """

    layout: ClassVar[str]

    @classmethod
    @abstractmethod
    def detect(cls, root: Path) -> bool:
        """Return whether `root` has this layout, without reading labels."""

    @classmethod
    @abstractmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; `seed` is used to draw the splits of folders that define none."""


AnyLayout = TypeVar("AnyLayout", bound=DatasetLayout)


def detect_layout(root: Path, layouts: Sequence[type[AnyLayout]]) -> type[AnyLayout] | None:
    """Return the first of `layouts` that `root` has, or None; a layout whose folders may not be read is skipped."""
    return next((layout for layout in layouts if _is_detected(layout, root)), None)


def _is_detected(layout: type[DatasetLayout], root: Path) -> bool:
    try:
        return layout.detect(root)
    except OSError:
        return False


def list_layouts(layouts: Sequence[type[DatasetLayout]]) -> str:
    """List the supported layouts for an error message, one per line."""
    return "\n".join(wrap_item(name, "  - ") for name in dict.fromkeys(layout.layout for layout in layouts))


SPLITS = ("train", "validation")


class VideoLayout(Dataset, DatasetLayout):
    """A dataset that heads can be trained on. Layouts are registered in `harness.data.registry`.

    Attributes
    ----------
    noun : str
        Word for a unit (what is split and resampled) in messages: `video` or `subject`.
    """

    noun: ClassVar[str]

    @abstractmethod
    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        """Return the annotated rows of a split.

        Parameters
        ----------
        task : str
        split : str
        problems : list of Problem, optional
            If given, problems of malformed files or cells are appended to it instead of raising InputError.
        """

    @abstractmethod
    def test_sequence_names(self, task: str) -> tuple[str, ...]:
        """Return the sequences of the test split of a task; empty without a valid test list."""

    @abstractmethod
    def find_problems(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Yield problems other than malformed labels.

        Parameters
        ----------
        crops : mapping of str to int array
            Frame numbers with a readable crop, by sequence name.
        """

    @abstractmethod
    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return lines of the summary as (label, text): the detected parts and their location."""


class ImageLayout(DatasetLayout):
    """A folder of still images that backbones can be trained on. Layouts are registered in `harness.data.registry`.

    Attributes
    ----------
    name : str
    root : Path
    """

    name: str
    root: Path

    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Return which of `train`, `validation` and `test` exist; `test` should share no subject with the others."""

    @abstractmethod
    def stills(self, split: str, problems: list[Problem] | None = None) -> Stills:
        """Return the still images of a split whose image file exists.

        Parameters
        ----------
        split : str
        problems : list of Problem, optional
            If given, problems of malformed labels and boxes are appended to it instead of raising.

        Raises
        ------
        InputError
            If a label or box is malformed (the message names file and line), or if no image exists.
        """

    @abstractmethod
    def excluded_counts(self, split: str) -> Mapping[str, int]:
        """Return, for each reason, how many images or names of a split are excluded, such as {"no image file": 12}."""

    @abstractmethod
    def find_problems(self) -> Iterator[Problem]:
        """Yield problems other than malformed labels and boxes."""

    @abstractmethod
    def summary(self) -> tuple[tuple[str, str], ...]:
        """Return lines of the summary as (label, text): the detected parts and their location."""

    def validate_split(self, split: str) -> str:
        """Return `split`; raise InputError if there is no split of that name."""
        if split not in self.splits():
            raise unknown_name_error(f"split of {self.root}", split, self.splits())
        return split


def folder_name(root: Path) -> str:
    """Return the name of the resolved folder, used as the name of the dataset."""
    return storable_name(root.resolve().name)
