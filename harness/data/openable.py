"""What is recognised in a folder and opened by its layout: data sets of heads, and stills of backbones."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Self, TypeVar


class Openable(ABC):
    """Something that lies in a folder in a known layout."""

    layout: ClassVar[str]
    """One line for messages: the layout's name and what lies in its folder."""

    @classmethod
    @abstractmethod
    def recognises(cls, root: Path) -> bool:
        """Whether `root` has this layout (cheap; reads no label)."""

    @classmethod
    @abstractmethod
    def open(cls, root: Path, seed: int) -> Self:
        """Open `root`; the seed makes splits where the folder has none."""


AnyLayout = TypeVar("AnyLayout", bound=Openable)


def layout_of(root: Path, layouts: Sequence[type[AnyLayout]]) -> type[AnyLayout] | None:
    """The first of the layouts that `root` has, if any."""
    return next((layout for layout in layouts if layout.recognises(root)), None)


def known(layouts: Sequence[type[Openable]]) -> str:
    """What could have been there, for messages."""
    return "; ".join(layout.layout for layout in layouts)
