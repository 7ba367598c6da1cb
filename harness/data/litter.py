"""Files and folders that operating systems and tools leave in data folders, which every layout skips."""

from __future__ import annotations

import os

LITTER = frozenset(
    (
        "__macosx",
        "thumbs.db",
        "ehthumbs.db",
        "desktop.ini",
        "icon\r",
        "@eadir",
        "$recycle.bin",
        "system volume information",
        "lost+found",
    )
)
"""Names in lower case that macOS, Windows, network drives and Linux create."""


def is_litter(name: str) -> bool:
    """Return whether an entry of a folder is hidden, or left there by an operating system.

    Examples
    --------
    >>> [is_litter(name) for name in (".DS_Store", "._00001.jpg", "__MACOSX", "Thumbs.db", "video1")]
    [True, True, True, True, False]
    """
    return name.startswith(".") or name.lower() in LITTER


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Return whether an entry is a folder or a link to one; False for a link that leads back to itself."""
    try:
        return entry.is_dir()
    except OSError:
        return False
