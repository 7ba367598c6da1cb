"""Detection of runs that learned from synthetic faces; their outputs for real faces are not reliable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from backbones.card import read_card
from backbones.checkpoint_folders import entries_by_card
from harness.data import locations
from harness.data.synthetic import STILLS_NAME, VIDEOS_NAME, is_synthetic
from harness.tracking.records import Record
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.leaderboard.finished_run import FinishedRun

PARTS = ("backbone", "head")
MAX_PARENTS = 10
"""Maximum number of backbones that are checked: the backbone of the run, its parent, the parent of that, and so on."""


def synthetic_parts(record: Record, images: str, store: Store) -> tuple[str, ...]:
    """Return which parts of a run learned from synthetic faces.

    Parameters
    ----------
    record : Record
        A job of the run.
    images : str
        Digest of the images that the head of the run was trained on.
    store : Store
        Store with the backbones and the locations of datasets.

    Returns
    -------
    tuple of str
        The members of `PARTS` that learned from synthetic faces. The backbone is included if it was trained on them, or
        if its training started from such a backbone. The head is included if its dataset was rendered by this project.
        A dataset that was moved since then is taken for real.
    """
    root = locations.get_location(store, images)
    head = record.dataset == VIDEOS_NAME if root is None else is_synthetic(root)
    learned = {"backbone": _is_backbone_synthetic(record, store), "head": head}
    return tuple(part for part in PARTS if learned[part])


def synthetic_parts_of_run(run: FinishedRun) -> tuple[str, ...]:
    """Return which parts of a finished run learned from synthetic faces, see `synthetic_parts`."""
    from harness.features.store import FeatureStore

    entry = run.configuration.entry
    return synthetic_parts(
        run.record, FeatureStore(run.store.features).entry(entry).data_digest if entry else "", run.store
    )


def _is_backbone_synthetic(record: Record, store: Store) -> bool:
    entries = entries_by_card(store.backbones)
    weights: Any = record.backbone_weights
    weights_hash: Any = record.weights_hash
    for _ in range(MAX_PARENTS):
        cards = map(read_card, entries.get(str(weights).removeprefix("checkpoint "), []))
        card = next((card for card in cards if card["weights_hash"] == weights_hash), None)
        if card is None:
            return False
        if _is_synthetic_data(card.get("data")):
            return True
        weights, weights_hash = card.get("parent"), card.get("parent_hash")
    return False


def _is_synthetic_data(data: Mapping[str, Any] | Any) -> bool:
    return isinstance(data, Mapping) and (data.get("name") == STILLS_NAME or data.get("synthetic") is True)
