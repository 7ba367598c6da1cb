"""The backbone that a training starts from."""

from __future__ import annotations

from typing import Any

import backbones
from backbones import BackboneInfo
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.loader import recipe_names
from harness.utils.errors import InputError
from harness.utils.store import Store


def get_trainable_parent(recipe: BackboneRecipe, store: Store) -> BackboneInfo:
    """Return the backbone that the training starts from; raise an error if it is missing or cannot be trained."""
    parent = _get_parent_info(recipe, store)
    if parent.spec.is_onnx:
        backbones.make_trainable(backbones.load(recipe.training.backbone, store.backbones))
    return parent


def _get_parent_info(recipe: BackboneRecipe, store: Store) -> BackboneInfo:
    """Return the parent. If it is missing, but a recipe trains it, the error says how to train it."""
    parent = recipe.training.backbone
    try:
        return backbones.get_info(parent, store.backbones, store.backbone_info)
    except backbones.BackboneError as error:
        matches = [name for name in backbones.entries(store.backbones) if name.startswith(f"{parent}-")]
        if parent not in recipe_names(BackboneRecipe) or len(matches) == 1:
            raise
        if matches:
            raise InputError(
                f"{recipe.name} starts from the backbone '{parent}', and the store has {len(matches)} of "
                f"that name; choose one: --set backbone={matches[0]} (or {', '.join(matches[1:])})"
            ) from error
        raise InputError(
            f"{recipe.name} starts from the backbone '{parent}', which the store {store} does not have; "
            f"train it (framelight train-backbone {parent} --store {store}), or start from other weights: "
            "--set backbone=efficientnet_b0, or the name of an imported backbone"
        ) from error


def parent_settings(parent: BackboneInfo, seed: int) -> dict[str, Any]:
    """Return the settings of the parent that are part of the key of a training.

    These are the architecture and the preprocessing of the parent. For a parent with random weights, they are only
    the seed, or nothing if the seed is 0.
    """
    if parent.is_random:
        return {"initial_seed": seed} if seed else {}
    return {"parent_architecture": parent.spec.constructor, "parent_preprocessing": parent.spec.preprocessing.as_dict()}
