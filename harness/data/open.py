"""Open a data folder, whatever its layout. A new layout is one file and one line of `LAYOUTS`."""

from __future__ import annotations

from pathlib import Path

from harness.data.affwild2 import AffWild2
from harness.data.image_table import ImageTable
from harness.data.layout import Layout
from harness.errors import InputError

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
    found = next((layout for layout in LAYOUTS if layout.recognises(root)), None)
    if found is None:
        known = "; ".join(layout.layout for layout in LAYOUTS)
        raise InputError(f"{root}: not in a layout that is known here. Known: {known}")
    return found.open(root, seed)
