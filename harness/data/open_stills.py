"""Open a folder of stills, whatever its layout. A new layout is one file and one line of `LAYOUTS`."""

from __future__ import annotations

from pathlib import Path

from harness.data.affectnet_2017 import AffectNet2017
from harness.data.affectnet_2021 import AffectNet2021
from harness.data.openable import known, layout_of
from harness.data.stills_source import StillsSource
from harness.data.table_stills import TableStills
from harness.data.vggface2 import VGGFace2
from harness.utils.errors import InputError

LAYOUTS: tuple[type[StillsSource], ...] = (
    TableStills,
    AffectNet2021,
    AffectNet2017,
    VGGFace2,
)


def open_stills(root: Path, seed: int = 0) -> StillsSource:
    """The stills in `root`; the seed makes their splits where there are none.

    Raises InputError when there is no such folder, or its layout is not known.
    """
    root = Path(root)
    if not root.exists():
        raise InputError(f"no such data folder: {root}")
    layout = stills_layout(root)
    if layout is None:
        raise InputError(f"{root}: no stills in a layout that is known here. Known: {known(LAYOUTS)}")
    return layout.open(root, seed)


def stills_layout(root: Path) -> type[StillsSource] | None:
    """The layout of stills that `root` has, if any."""
    return layout_of(Path(root), LAYOUTS)
