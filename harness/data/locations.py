"""JSON file with the folder of each dataset that a store has used, keyed by the digest of the dataset's crops.

Folders inside the store (rendered datasets) are stored relative to its root, so that the store can be moved.
"""

from __future__ import annotations

from pathlib import Path

from harness.utils.json_cache import JsonCache
from harness.utils.store import Store


def set_location(store: Store, images: str, root: Path) -> None:
    """Record the folder of a dataset.

    Parameters
    ----------
    store : Store
    images : str
        Digest of the crops of the dataset.
    root : Path
        Folder of the dataset.
    """
    cache, folder, store_root = JsonCache(store.dataset_locations), root.absolute(), store.root.absolute()
    cache.set(images, str(folder.relative_to(store_root) if folder.is_relative_to(store_root) else folder))
    cache.save()


def get_location(store: Store, images: str) -> Path | None:
    """Return a dataset's recorded folder, or None; the caller must check that it still contains the same dataset."""
    location = JsonCache(store.dataset_locations).get(images)
    return store.root.absolute() / location if isinstance(location, str) else None
