"""What a layout of stills gives: its splits, the stills of each, and what is wrong with it."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path

from harness.data.openable import Openable
from harness.data.problems import Problem
from harness.data.stills import Stills
from harness.utils.errors import unknown


class StillsSource(Openable):
    """A folder of stills in a known layout; `harness.data.open_stills` holds the list of them."""

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
    def left_out(self, split: str) -> Mapping[str, int]:
        """Why images are not among the stills of a split, with how many: {"no image file": 12}. Empty for none."""

    @abstractmethod
    def inspect(self) -> Iterator[Problem]:
        """Faults other than malformed labels and boxes."""

    @abstractmethod
    def contents(self) -> tuple[tuple[str, str], ...]:
        """Lines of a summary: what was found where, as (word, text)."""

    def known(self, split: str) -> str:
        """The split's name; InputError when there is none of that name."""
        if split not in self.splits():
            raise unknown(f"split of {self.root}", split, self.splits())
        return split


def folder_name(root: Path) -> str:
    """The name of a data set after its folder, whatever path it was reached by."""
    return root.resolve().name
