"""Open a data folder, whatever its layout. A new layout is one file and one line of `LAYOUTS`."""

from __future__ import annotations

from pathlib import Path

from harness.data.affectnet_2017 import AffectNet2017
from harness.data.affectnet_2021 import AffectNet2021
from harness.data.affwild2 import AffWild2
from harness.data.image_table import ImageTable
from harness.data.image_table_stills import TableStills
from harness.data.layouts import ImageLayout, VideoLayout, describe_layouts, detect_layout
from harness.data.vggface2 import VGGFace2
from harness.utils.errors import InputError

STILLS_LAYOUTS: tuple[type[ImageLayout], ...] = (TableStills, AffectNet2021, AffectNet2017, VGGFace2)


def open_stills(root: Path, seed: int = 0) -> ImageLayout:
    """The stills in `root`; the seed makes their splits where there are none.

    Raises InputError when there is no such folder, or its layout is not known.
    """
    root = Path(root)
    if not root.exists():
        raise InputError(f"no such data folder: {root}")
    layout = detect_stills_layout(root)
    if layout is None:
        raise InputError(f"{root}: no stills in a layout that is known here. Known: {describe_layouts(STILLS_LAYOUTS)}")
    return layout.open(root, seed)


def detect_stills_layout(root: Path) -> type[ImageLayout] | None:
    """The layout of stills that `root` has, if any."""
    return detect_layout(Path(root), STILLS_LAYOUTS)


DATASET_LAYOUTS: tuple[type[VideoLayout], ...] = (AffWild2, ImageTable)


def open_dataset(root: Path | str, seed: int = 0) -> VideoLayout:
    """Open a folder of face crops with annotations, whatever its layout.

    Parameters
    ----------
    root : path-like
        Aff-Wild2 as released for ABAW3, or a table of images (`labels.csv`).
    seed : int
        Splits a table that names no splits.

    Returns
    -------
    VideoLayout
        With `name`, `tasks()`, `splits(task)`, `labels(task, split)` and `sequences`.

    Raises
    ------
    InputError
        Where there is no such folder, or its layout is unknown.

    Examples
    --------
    >>> dataset = open_dataset(data)
    >>> dataset.tasks(), dataset.splits("expr")
    (('expr', 'va', 'au', 'mtl'), ('train', 'validation'))
    """
    root = Path(root)
    if not root.exists():
        raise InputError(f"no such data folder: {root}; `framelight data make {root}` makes a synthetic one there")
    found = detect_layout(root, DATASET_LAYOUTS)
    if found is not None:
        return found.open(root, seed)
    stills = detect_stills_layout(root)
    if stills is not None:
        raise InputError(
            f"{root}: {stills.layout}: a backbone can be trained on it (framelight train-backbone), "
            f"but heads learn from {describe_layouts(DATASET_LAYOUTS)}"
        )
    raise InputError(f"{root}: not in a layout that is known here. Known: {describe_layouts(DATASET_LAYOUTS)}")


def is_dataset(root: Path) -> bool:
    """Whether `open_dataset` knows the layout of `root`."""
    return detect_layout(Path(root), DATASET_LAYOUTS) is not None
