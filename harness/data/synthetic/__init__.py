"""Synthetic dataset: procedurally rendered faces with facial expressions and exact labels, in the ABAW3 layout.

The renderer is imported at its first use, because recipes import the settings and must be quick to import.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.data.synthetic.writer import make, make_stills

VERSION = 1
"""Version of the renderer; increase it whenever the same seed renders different bytes."""

NOTE = "synthetic.json"
"""File with the settings of a rendered dataset, in its folder."""
VIDEOS_NAME, STILLS_NAME = "synthetic", "synthetic stills"
"""Names of the datasets that recipes render themselves."""

__all__ = ["VERSION", "make", "make_stills"]


def is_synthetic(root: Path) -> bool:
    """Return whether a folder is a dataset rendered by this project, or a subfolder of one, such as its stills."""
    return any((folder / NOTE).is_file() for folder in (root, root.absolute().parent))


def __getattr__(name: str) -> Any:
    if name not in ("make", "make_stills"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from harness.data.synthetic import writer

    return getattr(writer, name)
