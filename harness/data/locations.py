"""Where the data sets of a store lay when they were last opened: folders by digest, in one JSON file.

Those in the store itself, which it has drawn, are named from its root: it may be moved.
"""

from __future__ import annotations

import json
from pathlib import Path

from harness.utils.files import write_json
from harness.utils.store import Store


def set_location(store: Store, images: str, root: Path) -> None:
    """images: digest of the data set's crops."""
    known, place, home = _known(store), root.absolute(), store.root.absolute()
    named = str(place.relative_to(home) if place.is_relative_to(home) else place)
    if known.get(images) != named:
        write_json(store.dataset_locations, {**known, images: named})


def get_location(store: Store, images: str) -> Path | None:
    """The folder; whether the data set still lies there, and is still the same, is for the caller to see."""
    found = _known(store).get(images)
    return store.root.absolute() / found if isinstance(found, str) else None


def _known(store: Store) -> dict[str, str]:
    try:
        known = json.loads(store.dataset_locations.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}
