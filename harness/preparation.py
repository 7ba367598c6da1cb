"""What jobs need before they start: data on disk, trained backbones, extracted features."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.dataset import Dataset
from harness.errors import InputError
from harness.files import sweep
from harness.identity import digest
from harness.locks import making
from harness.pretraining.config import REVISION
from harness.recipes.recipe import Recipe, SyntheticStills, SyntheticVideos, TrainedBackbone
from harness.soundness import require_sound
from harness.splits import annotations_digest

if TYPE_CHECKING:
    from backbones import BackboneInfo
    from harness.features.store import FeatureEntry

Say = Callable[[str], None]
CORRUPT_SHOWN = 10
WRITTEN = ("jobs", "predictions", "synthetic", "backbones")
"""Folders of `artifacts` whose entries are written aside; features are swept entry by entry."""


@dataclass(frozen=True)
class PreparedBackbone:
    """A backbone whose features are in the store under `entry`."""

    label: str
    weights: str
    weights_hash: str
    is_random: bool
    parameters: int
    entry: str


@dataclass(frozen=True)
class Prepared:
    """images: digest of every crop; labels: digest of the annotations, by task."""

    root: Path
    store: Path
    dataset: str
    temporal: bool
    images: str
    labels: dict[str, str]
    backbones: tuple[PreparedBackbone, ...]


def checkpoints(store: Path) -> Path:
    return store / "artifacts" / "backbones"


def prepare(recipe: Recipe, data: Path | None, store: Path, say: Say) -> Prepared:
    """Make or check the data, train the recipe's own backbones, extract what is missing."""
    from harness.data.fingerprint import dataset_digest
    from harness.data.open import open_dataset

    for folder in WRITTEN:
        sweep(store / "artifacts" / folder)
    root = data if data is not None else _synthetic_videos(recipe, store, say)
    dataset = open_dataset(root)
    for task in recipe.tasks:
        require_sound(recipe.protocol, dataset, task, say)
    labels = {task: annotations_digest(dataset, task) for task in recipe.tasks}
    images = dataset_digest(dataset, store / "features" / "digests.json")
    name = "synthetic" if data is None else dataset.name
    prepared = tuple(_prepared(recipe, reference, dataset, images, store, say)
                     for reference in _references(recipe, store, say))
    return Prepared(root.resolve(), store.resolve(), name, dataset.temporal, images, labels, prepared)


def _synthetic_videos(recipe: Recipe, store: Path, say: Say) -> Path:
    if recipe.synthetic is None:
        raise InputError(f"recipe '{recipe.name}' runs on a data set of yours: add --data DIR "
                         "(framelight data make DIR writes a synthetic one)")
    return synthetic_videos(recipe.synthetic, store, say)


def synthetic_videos(wanted: SyntheticVideos, store: Path, say: Say) -> Path:
    """The built-in video set in the store, made once."""
    from harness.data.synthetic import VERSION, make

    root = store / "artifacts" / "synthetic" / f"videos-{digest([wanted, VERSION])}"
    what = f"the synthetic set: {wanted.videos} videos of {wanted.frames} frames"
    return _made(root, what, partial(make, videos=wanted.videos, frames=wanted.frames, seed=wanted.seed, stills=0), say)


def synthetic_stills(wanted: SyntheticStills, store: Path, say: Say) -> Path:
    """The built-in table of stills in the store, made once."""
    from harness.data.synthetic import VERSION, make_stills

    root = store / "artifacts" / "synthetic" / f"stills-{digest([wanted, VERSION])}"
    what = f"{wanted.images} synthetic stills of {wanted.identities} identities"
    return _made(root, what, partial(make_stills, images=wanted.images, identities=wanted.identities,
                                     seed=wanted.seed), say)


def _made(root: Path, what: str, make: Callable[..., object], say: Say) -> Path:
    """`root`, drawn on every core by whoever comes first."""
    with making(root):
        if not root.is_dir():
            from harness.progress import Progress

            say(f"making {what}")
            with Progress("images", unit="image") as progress:
                make(root, progress=progress, workers=os.cpu_count() or 1)
    return root


def _references(recipe: Recipe, store: Path, say: Say) -> list[tuple[str, str]]:
    """(label, reference) of each backbone; those that the recipe trains are trained first."""
    trained = {backbone.name: backbone for backbone in recipe.trained}
    return [(name, str(_trained(trained[name], store, say)) if name in trained else name)
            for name in recipe.backbones]


def _trained(backbone: TrainedBackbone, store: Path, say: Say) -> str:
    from harness.data.synthetic import VERSION

    trained_by = digest([backbone.training, REVISION, backbone.stills, VERSION])
    folder = checkpoints(store) / f"{backbone.name}-{trained_by}"
    with making(folder):
        if not folder.is_dir():
            from harness.data.image_table import ImageTable
            from harness.pretraining.stills import train_stills

            table = ImageTable(synthetic_stills(backbone.stills, store, say))
            say(f"training backbone {backbone.name} on stills: identities, then expressions")
            train_stills(backbone.training, table.stills("train"), table.stills("validation"), folder,
                         name=backbone.name, say=say)
    return folder.name


def _prepared(recipe: Recipe, named: tuple[str, str], dataset: Dataset, images: str, store: Path,
              say: Say) -> PreparedBackbone:
    label, reference = named
    entry, info = extracted(label, reference, dataset, store, recipe.precision, say, images=images)
    return PreparedBackbone(label.removesuffix("@random"), info.weights, info.weights_hash, info.is_random,
                            info.parameters, entry.key)


def extracted(label: str, reference: str, dataset: Dataset, store: Path, precision: str, say: Say,
              threads: int | None = None, images: str | None = None) -> tuple[FeatureEntry, BackboneInfo]:
    """The feature entry of one backbone on a data set, extracted where the store has none."""
    import backbones
    from harness.data.fingerprint import dataset_digest
    from harness.features.extract import extract
    from harness.features.store import FeatureStore
    from harness.progress import Progress

    kept = FeatureStore(store / "features")
    images = images or dataset_digest(dataset, kept.digests)
    info = backbones.peek(reference, checkpoints(store), store / "features" / "backbones.json")
    if kept.find(info, images, precision) is None:
        say(f"extracting the features of {label} ({info.weights}) from {dataset.name}")
    with Progress("frames", unit="frame") as progress:
        entry = extract(dataset, info, kept, precision, progress, threads, images)
    _warn_of_corrupt(entry, say)
    return entry, info


def _warn_of_corrupt(entry: FeatureEntry, say: Say) -> None:
    for fault in entry.corrupt[:CORRUPT_SHOWN]:
        say(f"warning: {fault['image']}: {fault['reason']}; treated as a missing crop")
    if len(entry.corrupt) > CORRUPT_SHOWN:
        say(f"warning: {len(entry.corrupt) - CORRUPT_SHOWN} more corrupt images are listed in {entry.path}/entry.json")
