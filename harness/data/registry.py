"""Open data folders of any supported layout.

To add a layout, write a subclass of `VideoLayout` or `ImageLayout` and add it to `DATASET_LAYOUTS` or `STILLS_LAYOUTS`.
"""

from __future__ import annotations

from pathlib import Path

from harness.data.affectnet_2017 import AffectNet2017
from harness.data.affectnet_2021 import AffectNet2021
from harness.data.affwild2 import AffWild2
from harness.data.dataset import Dataset
from harness.data.expression_folders import ExpressionFolders, ExpressionStills
from harness.data.frame_table import FrameTable
from harness.data.image_table import ImageTable
from harness.data.image_table_stills import TableStills
from harness.data.layout_hints import hint_at_layout
from harness.data.layouts import AnyLayout, ImageLayout, VideoLayout, detect_layout, list_layouts
from harness.data.raf_db import RafDB, RafDBStills
from harness.data.vggface2 import VGGFace2
from harness.utils.errors import InputError
from harness.utils.paths import expand_home

STILLS_LAYOUTS: tuple[type[ImageLayout], ...] = (
    TableStills,
    AffectNet2021,
    AffectNet2017,
    RafDBStills,
    ExpressionStills,
    VGGFace2,
)


def open_stills(root: Path, seed: int = 0) -> ImageLayout:
    """Open a folder of still images for training backbones.

    Parameters
    ----------
    root : Path
    seed : int, default 0
        Seed of the splits, for folders that define none.

    Raises
    ------
    InputError
        If the folder does not exist, its layout is not supported, or it cannot be read.
    """
    root = expand_home(root)
    if not root.exists():
        raise InputError(f"no such data folder: {root}")
    layout = detect_stills_layout(root)
    if layout is None:
        raise InputError(
            f"{root}: no still images in a supported layout{_hint(root)}.\nSupported:\n{list_layouts(STILLS_LAYOUTS)}"
        )
    return _open(layout, root, seed)


def detect_stills_layout(root: Path) -> type[ImageLayout] | None:
    """Return the layout of the still images in `root`, or None."""
    return detect_layout(Path(root), STILLS_LAYOUTS)


DATASET_LAYOUTS: tuple[type[VideoLayout], ...] = (AffWild2, FrameTable, ImageTable, RafDB, ExpressionFolders)


def open_dataset(root: Path | str, seed: int = 0) -> Dataset:
    """Open a folder of face crops with annotations.

    Parameters
    ----------
    root : path-like
        Aff-Wild2 as released for the ABAW challenges, a frame table or image table (`labels.csv`, or its folder),
        RAF-DB, or folders of expressions.
    seed : int, default 0
        Seed of the splits, for images without a split.

    Returns
    -------
    Dataset
        Has `name`, `tasks()`, `splits(task)`, `labels(task, split)` and `sequences`.

    Raises
    ------
    InputError
        If the folder does not exist, its layout is not supported, or it cannot be read.

    Examples
    --------
    >>> dataset = open_dataset(data)
    >>> dataset.tasks(), dataset.splits("expr")
    (('expr', 'va', 'au', 'mtl'), ('train', 'validation'))
    """
    root = expand_home(root)
    if not root.exists():
        raise InputError(
            f"no such data folder: {root}; `framelight data make {root}` creates a synthetic dataset there"
        )
    layout = detect_layout(root, DATASET_LAYOUTS)
    if layout is not None:
        return _open(layout, root, seed)
    stills = detect_stills_layout(root)
    if stills is not None:
        raise InputError(
            f"{root}: only backbones can be trained on this layout (framelight train-backbone):\n"
            f"{list_layouts([stills])}\nHeads can be trained on:\n{list_layouts(DATASET_LAYOUTS)}"
        )
    for_backbones = [
        layout for layout in STILLS_LAYOUTS if layout.layout not in {each.layout for each in DATASET_LAYOUTS}
    ]
    raise InputError(
        f"{root}: not in a supported layout{_hint(root)}.\nSupported:\n{list_layouts(DATASET_LAYOUTS)}\n"
        f"Supported for training backbones:\n{list_layouts(for_backbones)}"
    )


def _open(layout: type[AnyLayout], root: Path, seed: int) -> AnyLayout:
    try:
        return layout.open(root, seed)
    except InputError as error:
        if layout is TableStills and FrameTable.detect(root):
            raise InputError(
                f"{error}; this is {FrameTable.layout}, on which heads are trained; backbones need the columns image "
                "and expression or subject"
            ) from error
        if layout.layout != ImageTable.layout or not ExpressionFolders.detect(root):
            raise
        raise InputError(f"{error}; to read its folders of expressions instead, move labels.csv elsewhere") from error
    except OSError as error:
        raise InputError(f"{error.filename or root}: cannot be read: {error.strerror}") from error


def _hint(root: Path) -> str:
    hint = hint_at_layout(root, (*DATASET_LAYOUTS, *STILLS_LAYOUTS))
    return f"; {hint}" if hint else ""


def is_dataset(root: Path) -> bool:
    """Return whether `open_dataset` supports the layout of `root`."""
    return detect_layout(Path(root), DATASET_LAYOUTS) is not None
