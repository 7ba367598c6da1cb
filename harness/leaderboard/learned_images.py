"""Images that the backbone of a run was trained on, as far as they are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backbones.card import read_card
from backbones.checkpoint_folders import entries_by_card
from harness.tracking.records import Record
from harness.utils.store import Store
from harness.utils.text import plural

CARD_KEY = "image_hashes"
"""Key of the image hashes in the card of a backbone; see `harness.data.learned_images`."""


def learned_images(record: Record, store: Store) -> dict[str, Any] | None:
    """Return what is known about the images that the backbone of a run was trained on.

    Parameters
    ----------
    record : Record
        A job of the run.
    store : Store
        The store with the checkpoint of the backbone.

    Returns
    -------
    dict or None
        `images`: number of distinct images whose hashes are stored; None if the images are not known. `unknown`: name
        of weights whose images are not known: the weights of the backbone, or those that its training started from. It
        is empty if all images are known. For a run without trained weights, the result is None.
    """
    if not record.backbone_weights or record.backbone_random:
        return None
    name = record.backbone_weights.removeprefix("checkpoint ")
    for folder in entries_by_card(store.backbones).get(name, []):
        card = read_card(folder)
        if card.get("weights_hash") == record.weights_hash and isinstance(card.get(CARD_KEY), dict):
            return {"images": card[CARD_KEY].get("images"), "unknown": card[CARD_KEY].get("unknown", "")}
    return {"images": None, "unknown": record.backbone_weights}


def describe_learned_images(about: Mapping[str, Any]) -> str:
    """Describe the result of `learned_images` in one line."""
    if about["images"] is None:
        return "not known, so copies of scored crops among them cannot be found"
    text = f"{plural(about['images'], 'image')}, compared with the scored crops"
    return (
        f"{text}; those of {about['unknown']}, from which it was trained, are not known" if about["unknown"] else text
    )
