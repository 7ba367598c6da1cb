"""Prepare the inputs of jobs: dataset, trained backbones and extracted features."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backbones
from backbones.card import read_card
from backbones.checkpoint_folders import entries_by_name
from backbones.errors import BackboneError, unknown_name_error
from backbones.references import resolve
from harness.data import locations
from harness.data.dataset import Dataset
from harness.data.fingerprint import DatasetFingerprint
from harness.data.leakage import warn_backbone_selected_on_validation, warn_near_duplicates, warn_scores_leak_targets
from harness.data.learned_crops import warn_learned_crops
from harness.data.splits import REPORTED
from harness.data.synthetic import VIDEOS_NAME
from harness.data.synthetic.cache import synthetic_videos
from harness.data.validation import validate_dataset
from harness.runner.backbone_recipe import NAME, BackboneRecipe, TrainedBackbone
from harness.runner.backbone_training import train_backbone
from harness.runner.feature_preparation import ExtractionOptions, get_backbone_info, get_or_extract_features
from harness.runner.prepared_inputs import PreparedBackbone, PreparedInputs, group_trainings
from harness.runner.recipe import Recipe
from harness.utils.errors import InputError
from harness.utils.files import remove_stale_temp_files
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


def prepare_inputs(recipe: Recipe, data: Path | None, store: Store, tracker: Tracker | None = None) -> PreparedInputs:
    """Open and check the dataset, train the backbones of the recipe and extract missing features.

    Parameters
    ----------
    recipe : Recipe
        The recipe.
    data : Path or None
        Folder of the dataset; None for the synthetic videos of the recipe.
    store : Store
        Store of all results.
    tracker : Tracker, optional
        Tracks the training of backbones.

    Returns
    -------
    PreparedInputs
        The inputs of the jobs.

    Raises
    ------
    InputError
        If a backbone is unknown, a required dataset is not given, or the dataset or the recipe's features are unusable.
    """
    from harness.data.registry import open_dataset

    for folder in store.atomic_folders:
        remove_stale_temp_files(folder)
    _check_backbone_names(recipe, store)
    root = data if data is not None else _synthetic_videos(recipe, store)
    dataset = open_dataset(root)
    validate_dataset(recipe.protocol, root, recipe.tasks, (*(0,) * recipe.baselines, *recipe.seeds))
    fingerprint = DatasetFingerprint(dataset, store.digests)
    labels = {task: fingerprint.labels(task) for task in recipe.tasks}
    images = fingerprint.images
    locations.set_location(store, images, root)
    name = VIDEOS_NAME if data is None else dataset.name
    warn_near_duplicates(dataset, labels, images, store)
    trainings = _resolve_references(recipe, store, tracker)
    references = [(label, next(iter(by_seed.values()))) for label, by_seed in trainings]  # the first represents all
    _check_score_features(recipe, references, store)
    folders = _entry_folders(references, store)
    seen = warn_learned_crops(dataset, recipe.tasks, images, folders, store)
    prepared = tuple(
        _set_seen_tasks(
            _prepare_trainings(recipe, training, dataset, images, store),
            tuple(leak.task for leak in seen if (leak.backbone, leak.split) == (training[0], REPORTED)),
        )
        for training in trainings
    )
    warn_scores_leak_targets(_feature_combinations(recipe, prepared))
    warn_backbone_selected_on_validation(_read_cards(folders), root, store.digests)
    return PreparedInputs(root.resolve(), store.untracked.resolve(), name, dataset.temporal, images, labels, prepared)


def _synthetic_videos(recipe: Recipe, store: Store) -> Path:
    if recipe.synthetic is None:
        raise InputError(
            f"recipe '{recipe.name}' needs a dataset: add --data DIR (framelight data make DIR writes a synthetic one)"
        )
    return synthetic_videos(recipe.synthetic, store)


def _resolve_references(recipe: Recipe, store: Store, tracker: Tracker | None) -> list[tuple[str, dict[int, str]]]:
    """Train the backbones of the recipe; return, for each backbone, its label and its references by seed.

    References are the strings that `backbones.load` accepts. A backbone that the recipe does not train has one
    reference, with seed 0.
    """
    trained = {backbone.name: backbone for backbone in recipe.trained}
    return [
        (name, _train_backbone(trained[name], store, tracker) if name in trained else {0: name})
        for name in recipe.all_backbones()
    ]


def _check_backbone_names(recipe: Recipe, store: Store) -> None:
    """Raise InputError if a backbone, or one that a training starts from, cannot be loaded."""
    parents = {backbone.name: backbone.training.backbone for backbone in recipe.trained}
    available = {*backbones.names(), *entries_by_name(store.backbones), *parents}
    names = {parents.get(name, name): name for name in recipe.all_backbones()}
    errors = {reference: error for reference in names if (error := _find_error(reference, available, store))}
    if not errors:
        return
    first, *others = errors
    reasons = f"{errors[first]}\n" + (f"Also missing: {', '.join(others)}\n" if others else "")
    if names[first] in parents:
        raise InputError(
            f"trained.training.backbone, from which {names[first]} is trained: {reasons}"
            "The backbones that the recipe compares are set with --set backbones=NAME,..."
        ) from errors[first]
    advice = "Choose others with --set backbones=NAME,..."
    if NAME.fullmatch(first):
        advice += (
            f" or import weights under this name:\n  framelight backbones import FILE --name {first} --store {store}"
        )
    raise InputError(reasons + advice) from errors[first]


def _find_error(reference: str, available: Collection[str], store: Store) -> BackboneError | None:
    """Return why a backbone cannot be loaded, or None; for an unknown name, the error suggests available ones."""
    if reference in available or reference.removesuffix("@random") in backbones.names():
        return None
    try:
        get_backbone_info(reference, store)
    except BackboneError as error:
        is_unknown = error.message.startswith("unknown backbone")
        return unknown_name_error("backbone", reference, available) if is_unknown else error
    return None


def _train_backbone(backbone: TrainedBackbone, store: Store, tracker: Tracker | None) -> dict[int, str]:
    """Train a backbone with each of its seeds; return the names of the trained backbones in the store, by seed."""
    names = {}
    for training in backbone.trainings():
        result = train_backbone(BackboneRecipe(backbone.name, training, stills=backbone.stills), None, store, tracker)
        if result.lost:
            logger.warning(result.lost)
        names[training.seed] = result.folder.name
    return names


def _entry_folders(references: list[tuple[str, str]], store: Store) -> dict[str, Path]:
    """Return the folders of the trained and imported backbones, by label."""
    sources = {label: resolve(reference, store.backbones) for label, reference in references}
    return {label: source.folder for label, source in sources.items() if source.kind == "checkpoint"}


def _read_cards(folders: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """Read the model cards of trained and imported backbones, by label."""
    return {label: read_card(folder) for label, folder in folders.items()}


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
        if label in needed and not get_backbone_info(reference, store).score_width
    ]
    if without:
        raise InputError(
            f"the recipe's features include scores, which backbones without a classifier do not have: "
            f"{', '.join(without)}; add --set features=embeddings"
        )


def _feature_combinations(
    recipe: Recipe, prepared: tuple[PreparedBackbone, ...]
) -> Iterator[tuple[str, str, str, Sequence[str]]]:
    """Yield (task, features, backbone, score labels) of every combination of the grids."""
    labels = dict(zip(recipe.all_backbones(), prepared))
    for grid in recipe.grids:
        for features, name in product(grid.features, grid.backbones or recipe.backbones):
            yield grid.task, features, labels[name].label, labels[name].score_labels


def _prepare_trainings(
    recipe: Recipe, named: tuple[str, dict[int, str]], dataset: Dataset, images: str, store: Store
) -> PreparedBackbone:
    label, references = named
    prepared = {
        seed: _prepare_backbone(recipe, (label, reference), dataset, images, store)
        for seed, reference in references.items()
    }
    return group_trainings(prepared)


def _set_seen_tasks(backbone: PreparedBackbone, tasks: tuple[str, ...]) -> PreparedBackbone:
    """Set `seen_tasks` of all trainings of a backbone, since they used the same images."""
    repeats = tuple(replace(repeat, seen_tasks=tasks) for repeat in backbone.repeats)
    return replace(backbone, seen_tasks=tasks, repeats=repeats)


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
