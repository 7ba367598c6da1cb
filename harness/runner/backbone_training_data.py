"""Still images that the backbone of a recipe is trained on."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.synthetic import STILLS_NAME, is_synthetic
from harness.data.synthetic.cache import stills_fingerprint, synthetic_stills
from harness.data.synthetic.settings import GENERIC
from harness.runner.backbone_recipe import BackboneRecipe
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash
from harness.utils.store import Store

if TYPE_CHECKING:
    from harness.data.layouts import ImageLayout
    from harness.data.stills import Stills

    Splits = tuple[Stills, Stills | None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """Still images of a training.

    Attributes
    ----------
    name : str
        Name of the dataset.
    digest : str
        Digest of images and labels. For the synthetic images of a recipe: digest of the settings that render them.
    read : callable
        Returns the training split, and the validation split or None.
    licence : str
        Terms of the data.
    left_out : mapping of str to int
        Numbers of excluded training images, by reason.
    synthetic : bool
        Whether this project rendered the images.
    """

    name: str
    digest: str
    read: Callable[[], Splits]
    licence: str
    left_out: Mapping[str, int] = field(default_factory=dict)
    synthetic: bool = False


def open_training_data(recipe: BackboneRecipe, data: Path | None, store: Store) -> TrainingData:
    """Open the images of a training.

    Parameters
    ----------
    recipe : BackboneRecipe
        The recipe.
    data : Path or None
        Dataset to train on; None for the synthetic images of the recipe.
    store : Store
        Store of synthetic images and of digests.

    Raises
    ------
    InputError
        If the images are missing or unusable.
    """
    return _synthetic_training_data(recipe, store) if data is None else _training_data_from_folder(recipe, data, store)


def _synthetic_training_data(recipe: BackboneRecipe, store: Store) -> TrainingData:
    stills = recipe.stills
    if stills is None:
        raise InputError(
            f"recipe '{recipe.name}' needs a dataset of still images: add --data DIR "
            f"(see experiments/{recipe.name}.py for its contents)"
        )

    from harness.data.registry import open_stills

    def read() -> Splits:
        splits = _select_splits(recipe, open_stills(synthetic_stills(stills, store)))
        return splits if stills.style == GENERIC else _with_affectnet_classes(splits)

    return TrainingData(STILLS_NAME, stills_fingerprint(stills), read, recipe.licence, synthetic=True)


def _with_affectnet_classes(splits: Splits) -> Splits:
    """Restore the AffectNet classes of posed images, since `open_stills` maps contempt to Other."""
    training, validation = splits
    return training.with_affectnet_classes(), validation.with_affectnet_classes() if validation else None


def _training_data_from_folder(recipe: BackboneRecipe, data: Path, store: Store) -> TrainingData:
    from harness.data.problems import require_no_errors
    from harness.data.registry import open_stills
    from harness.utils.progress import Progress

    source = open_stills(data)
    splits, left_out = _select_splits(recipe, source), source.excluded_counts("train")
    require_no_errors(source.find_problems())
    excluded = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    logger.info(
        f"{source.name}: {' and '.join(f'{len(split):,}' for split in splits if split is not None)} images"
        + (f"; excluded from training: {excluded}" if excluded else "")
    )
    digests: list[Any] = []
    with Progress("images", unit="image") as progress:
        for split in splits:
            digests.append(None if split is None else split.digest(store.digests, progress))
    licence = recipe.licence or f"{source.name}'s terms"
    return TrainingData(source.name, content_hash(digests, 16), lambda: splits, licence, left_out, is_synthetic(data))


def _select_splits(recipe: BackboneRecipe, source: ImageLayout) -> Splits:
    """Return the training split, and the split to validate on if there is one.

    If there is no validation split, a recipe that does not train expressions is validated on the test split. The people
    of the test split are not in the training split.
    """
    candidates = ("validation",) if recipe.training.expressions else ("validation", "test")
    validation = next((split for split in candidates if split in source.splits()), None)
    return source.stills("train"), source.stills(validation) if validation else None
