"""Prepare the inputs of jobs: data set, trained backbones and extracted features."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data import locations
from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.data.leakage import warn_backbone_selected_on_validation, warn_near_duplicates, warn_scores_leak_targets
from harness.data.synthetic.cache import synthetic_videos
from harness.data.validation import validate_dataset
from harness.runner.backbone_recipe import BackboneRecipe, TrainedBackbone
from harness.runner.backbone_training import train_backbone
from harness.runner.recipe import Recipe
from harness.utils.errors import InputError
from harness.utils.files import remove_stale_temp_files
from harness.utils.store import Store

if TYPE_CHECKING:
    from backbones import BackboneInfo
    from harness.features.entry import FeatureEntry
    from harness.tracking.tracker import Tracker

logger = logging.getLogger(__name__)

MAX_CORRUPT_SHOWN = 10


@dataclass(frozen=True)
class PreparedBackbone:
    """A backbone whose features are in the store.

    Attributes
    ----------
    label : str
        Name in tables.
    weights : str
        Name of the weights.
    weights_hash : str
        Hash of the weights.
    is_random : bool
        Whether the weights are random.
    parameters : int
        Number of parameters.
    entry : str
        Key of the feature entry.
    score_labels : tuple of str
        Names of the score columns; empty if they have none or the weights are random.
    """

    label: str
    weights: str
    weights_hash: str
    is_random: bool
    parameters: int
    entry: str
    score_labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class PreparedInputs:
    """Inputs of the jobs of a recipe.

    Attributes
    ----------
    root : Path
        Absolute folder of the data set.
    store : Store
        The store, with absolute paths and without a tracking URI.
    dataset : str
        Name of the data set.
    temporal : bool
        Whether the data set has videos rather than still images.
    images : str
        Digest of all crops.
    labels : dict of str to str
        Digest of the annotations, by task.
    backbones : tuple of PreparedBackbone
        In the order of `Recipe.all_backbones`.
    """

    root: Path
    store: Store
    dataset: str
    temporal: bool
    images: str
    labels: dict[str, str]
    backbones: tuple[PreparedBackbone, ...]


def prepare_inputs(recipe: Recipe, data: Path | None, store: Store, tracker: Tracker | None = None) -> PreparedInputs:
    """Render or check the data set, train the backbones of the recipe and extract missing features.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    data : Path or None
        Folder of the data set; None for the synthetic videos of the recipe.
    store : Store
        Where everything is stored.
    tracker : Tracker, optional
        Tracks the training of backbones.

    Returns
    -------
    PreparedInputs
        The inputs of the jobs.

    Raises
    ------
    InputError
        If a backbone is unknown, a data set is required, or the data set or the recipe's features are unusable.
    """
    from harness.data.registry import open_dataset

    for folder in store.atomic_folders:
        remove_stale_temp_files(folder)
    _check_backbone_names(recipe, store)
    root = data if data is not None else _synthetic_videos(recipe, store)
    dataset = open_dataset(root)
    validate_dataset(recipe.protocol, root, recipe.tasks)
    fingerprint = DatasetFingerprint(dataset, store.digests)
    labels = {task: fingerprint.labels(task) for task in recipe.tasks}
    images = fingerprint.images
    locations.set_location(store, images, root)
    name = "synthetic" if data is None else dataset.name
    warn_near_duplicates(dataset, labels, images, store)
    references = _resolve_references(recipe, store, tracker)
    _check_score_features(recipe, references, store)
    prepared = tuple(_prepare_backbone(recipe, reference, dataset, images, store) for reference in references)
    warn_scores_leak_targets(_feature_combinations(recipe, prepared))
    warn_backbone_selected_on_validation(_read_cards(references, store), root, store.digests)
    return PreparedInputs(root.resolve(), store.untracked.resolve(), name, dataset.temporal, images, labels, prepared)


def _synthetic_videos(recipe: Recipe, store: Store) -> Path:
    if recipe.synthetic is None:
        raise InputError(
            f"recipe '{recipe.name}' needs a data set: add --data DIR (framelight data make DIR writes a synthetic one)"
        )
    return synthetic_videos(recipe.synthetic, store)


def _resolve_references(recipe: Recipe, store: Store, tracker: Tracker | None) -> list[tuple[str, str]]:
    """Return (label, reference) of each backbone, after training those that the recipe trains."""
    trained = {backbone.name: backbone for backbone in recipe.trained}
    return [
        (name, _train_backbone(trained[name], store, tracker) if name in trained else name)
        for name in recipe.all_backbones()
    ]


def _check_backbone_names(recipe: Recipe, store: Store) -> None:
    """Raise InputError, before any work, for backbones that are neither in the store nor in the catalogue."""
    import backbones
    from backbones.checkpoint_folders import entries_by_card

    available = {
        *backbones.names(),
        *backbones.entries(store.backbones),
        *entries_by_card(store.backbones),
        *(backbone.name for backbone in recipe.trained),
    }
    unknown = [name for name in recipe.all_backbones() if name.partition("@")[0] not in available]
    if not unknown:
        return
    try:
        _get_backbone_info(unknown[0], store)
    except backbones.BackboneError as error:
        others = f" (also missing: {', '.join(unknown[1:])})" if unknown[1:] else ""
        raise InputError(
            f"{error} Import weights under this name with framelight backbones import FILE "
            f"--name {unknown[0]} --store {store}, or choose other backbones with --set backbones=NAME,..."
            f"{others}"
        ) from error


def _train_backbone(backbone: TrainedBackbone, store: Store, tracker: Tracker | None) -> str:
    recipe = BackboneRecipe(backbone.name, backbone.training, stills=backbone.stills)
    result = train_backbone(recipe, None, store, tracker)
    if result.lost:
        logger.warning(result.lost)
    return result.folder.name


def _read_cards(references: list[tuple[str, str]], store: Store) -> dict[str, dict[str, Any]]:
    """Read the model cards of the backbones that have one, by label."""
    import backbones
    from backbones.checkpoint_folders import entries_by_name

    folders = entries_by_name(store.backbones)
    return {label: backbones.read_card(folders[reference]) for label, reference in references if reference in folders}


def _check_score_features(recipe: Recipe, references: list[tuple[str, str]], store: Store) -> None:
    """Raise InputError, before the extraction, if features use the scores of a backbone without a classifier."""
    needed = {
        name
        for grid in recipe.grids
        for name in grid.backbones or recipe.backbones
        if any("scores" in features for features in grid.features)
    }
    without = [
        label
        for label, reference in references
        if label in needed and not _get_backbone_info(reference, store).score_width
    ]
    if without:
        raise InputError(
            f"{', '.join(without)}: the recipe's features include scores, but the backbone has no classifier; "
            "add --set features=embeddings"
        )


def _feature_combinations(
    recipe: Recipe, prepared: tuple[PreparedBackbone, ...]
) -> Iterator[tuple[str, str, str, Sequence[str]]]:
    """Yield (task, features, backbone, score labels) of every combination of the grids."""
    labels = dict(zip(recipe.all_backbones(), prepared))
    for grid in recipe.grids:
        for features, name in product(grid.features, grid.backbones or recipe.backbones):
            yield grid.task, features, labels[name].label, labels[name].score_labels


def _get_backbone_info(reference: str, store: Store) -> BackboneInfo:
    import backbones

    return backbones.get_info(reference, store.backbones, store.backbone_info)


def _prepare_backbone(
    recipe: Recipe, named: tuple[str, str], dataset: Dataset, images: str, store: Store
) -> PreparedBackbone:
    label, reference = named
    options = ExtractionOptions(recipe.precision, recipe.compute)
    entry, info = get_or_extract_features(label, reference, dataset, store, options, images)
    return PreparedBackbone(
        label.removesuffix("@random"),
        info.weights,
        info.weights_hash,
        info.is_random,
        info.parameters,
        entry.key,
        () if info.is_random else tuple(info.score_labels),
    )


@dataclass(frozen=True)
class ExtractionOptions:
    """How features are computed and stored.

    Attributes
    ----------
    precision : {"float16", "float32"}
        Precision of the stored features.
    compute : {"float32", "bf16", "fp16"}
        Precision of the forward passes.
    engine : str
        Name of the inference engine; "" selects the fastest.
    threads : int or None
        Number of worker threads; None for all cores.
    """

    precision: str
    compute: str = "float32"
    engine: str = ""
    threads: int | None = None


def get_or_extract_features(
    label: str, reference: str, dataset: Dataset, store: Store, options: ExtractionOptions, images: str | None = None
) -> tuple[FeatureEntry, BackboneInfo]:
    """Return the features of a data set by one backbone; extract them if the store has none.

    Parameters
    ----------
    label : str
        Name of the backbone in messages.
    reference : str
        The backbone, see `backbones.load`.
    dataset : Dataset
        The data set.
    store : Store
        Where the features are.
    options : ExtractionOptions
        Precision, engine and threads.
    images : str, optional
        Digest of the images. Default: it is computed.

    Returns
    -------
    entry : FeatureEntry
        The complete entry.
    info : BackboneInfo
        The backbone.
    """
    from harness.features.engine_choice import EngineSelector
    from harness.features.extraction import extract
    from harness.features.store import FeatureStore
    from harness.utils.progress import Progress

    feature_store = FeatureStore(store.features)
    images = images or DatasetFingerprint(dataset, store.digests).images
    info = _get_backbone_info(reference, store)
    selector = EngineSelector(store.engines, options.engine, options.compute)
    if feature_store.find(info, images, options.precision, options.compute) is None:
        logger.info(f"extracting the features of {label} ({info.weights}) from {dataset.name}")
    with Progress("frames", unit="frame") as progress:
        entry = extract(dataset, info, feature_store, options.precision, progress, options.threads, images, selector)
    _warn_corrupt_images(entry)
    return entry, info


def _warn_corrupt_images(entry: FeatureEntry) -> None:
    for fault in entry.corrupt[:MAX_CORRUPT_SHOWN]:
        logger.warning(f"{fault['image']}: {fault['reason']}; treated as a missing crop")
    if len(entry.corrupt) > MAX_CORRUPT_SHOWN:
        logger.warning(
            f"{len(entry.corrupt) - MAX_CORRUPT_SHOWN} more corrupt images, listed in {entry.path}/entry.json"
        )
