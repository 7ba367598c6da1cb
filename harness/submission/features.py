"""The features that a run's model needs on a data set, extracted where the store has none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from harness.data.dataset import Dataset
from harness.features.store import FeatureEntry, FeatureStore
from harness.leaderboard.runs import Chosen
from harness.utils.errors import InputError


def features_of(chosen: Chosen, dataset: Dataset, images: str, store: Path, say: Callable[[str], None]) -> FeatureEntry:
    """The entry of the run's backbone on `dataset`; images: the data set's digest.

    InputError where the backbone has other weights by now, or a baseline without one finds no features to go by.
    """
    kept = FeatureStore(store / "features")
    if not chosen.configuration.entry:
        return _any_entry(kept, images, dataset)
    trained_on = kept.entry(chosen.configuration.entry)
    if trained_on.data_digest == images:
        return trained_on
    from harness.runner.preparation import extracted

    entry, info = extracted(chosen.record.backbone, trained_on.backbone["reference"], dataset, store,
                            trained_on.dtype, say, images=images, compute=trained_on.compute)
    if info.weights_hash != trained_on.backbone["weights_hash"]:
        raise InputError(f"backbone {trained_on.backbone['reference']} has other weights than when run "
                         f"{chosen.record.group_id} was made; run its recipe again")
    return entry


def _any_entry(kept: FeatureStore, images: str, dataset: Dataset) -> FeatureEntry:
    """A baseline reads no image, only which frames have a crop; every backbone's entry tells."""
    for path in sorted(kept.root.glob("*/entry.json")):
        entry = kept.entry(path.parent.name)
        if entry.data_digest == images:
            return entry
    raise InputError(f"the store has no features of {dataset.name}, which tell the frames that have a crop; "
                     f"add them: framelight extract --data {dataset.root} --backbone tiny_mobilenet@random")
