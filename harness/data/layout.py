"""What a folder layout adds to `Dataset`: how to recognise it, open it and look for its faults."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from harness.data.dataset import Dataset, Labels
from harness.data.openable import Openable
from harness.data.problems import Problem

SPLITS = ("train", "validation")


class Layout(Dataset, Openable):
    """A data set in a known layout; `harness.data.open` holds the list of them."""

    noun: ClassVar[str]
    """What a unit is called: `video`, `subject`."""

    @abstractmethod
    def labels(self, task: str, split: str, problems: list[Problem] | None = None) -> Labels:
        """As `Dataset.labels`; with `problems`, faulty files or cells are listed there and left out."""

    @abstractmethod
    def test_members(self, task: str) -> tuple[str, ...]:
        """Sequences of the test split of a task; none where there is no sound test list."""

    @abstractmethod
    def inspect(self, crops: Mapping[str, np.ndarray]) -> Iterator[Problem]:
        """Faults other than malformed labels; crops: for each sequence, the frame numbers that have a crop."""

    @abstractmethod
    def contents(self) -> tuple[tuple[str, str], ...]:
        """Lines of a summary: what was found where, as (word, text)."""
