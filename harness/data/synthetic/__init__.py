"""The built-in synthetic set: procedural faces that act, in the ABAW3 layout, with exact labels.

What renders it is imported when it is first used: its settings are part of recipes, and must be quick to import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.data.synthetic.writer import make, make_stills

VERSION = 1
"""Raised whenever the same seed gives other bytes."""

__all__ = ["VERSION", "make", "make_stills"]


def __getattr__(name: str) -> Any:
    if name not in ("make", "make_stills"):
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    from harness.data.synthetic import writer

    return getattr(writer, name)
