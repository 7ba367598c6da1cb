"""Open a data folder, whatever its layout. A new layout is one file and one line of `LAYOUTS`."""

from __future__ import annotations

from pathlib import Path

from harness.data.affwild2 import AffWild2
from harness.data.image_table import ImageTable
from harness.data.layout import Layout
from harness.data.open_stills import stills_layout
from harness.data.openable import known, layout_of
from harness.utils.errors import InputError

LAYOUTS: tuple[type[Layout], ...] = (
    AffWild2,
    ImageTable,
)


def open_dataset(root: Path, seed: int = 0) -> Layout:
    """The data set in `root`; the seed makes its splits where it has none.

    Raises InputError when there is no such folder, or its layout is not known.
    """
    root = Path(root)
    if not root.exists():
        raise InputError(f"no such data folder: {root}; `framelight data make {root}` makes a synthetic one there")
    found = layout_of(root, LAYOUTS)
    if found is not None:
        return found.open(root, seed)
    stills = stills_layout(root)
    if stills is not None:
        raise InputError(f"{root}: {stills.layout}: a backbone can be trained on it (framelight train-backbone), "
                         f"but heads learn from {known(LAYOUTS)}")
    raise InputError(f"{root}: not in a layout that is known here. Known: {known(LAYOUTS)}")


def is_dataset(root: Path) -> bool:
    """Whether `open_dataset` knows the layout of `root`."""
    return layout_of(Path(root), LAYOUTS) is not None
