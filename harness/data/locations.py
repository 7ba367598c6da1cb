"""Where the data sets of a store lay when they were last opened: folders by digest, in one JSON file.

Those in the store itself, which it has drawn, are named from its root: it may be moved.
"""

from __future__ import annotations

from pathlib import Path

from harness.utils.json_cache import JsonCache
from harness.utils.store import Store


def set_location(store: Store, images: str, root: Path) -> None:
    """images: digest of the data set's crops."""
    cache, place, home = JsonCache(store.dataset_locations), root.absolute(), store.root.absolute()
    cache.set(images, str(place.relative_to(home) if place.is_relative_to(home) else place))
    cache.save()


def get_location(store: Store, images: str) -> Path | None:
    """The folder; whether the data set still lies there, and is still the same, is for the caller to see."""
    location = JsonCache(store.dataset_locations).get(images)
    return store.root.absolute() / location if isinstance(location, str) else None
