"""A backbone recipe becomes an entry of the store: trained where it is not there, taken up again where it was killed.

Used by `framelight train-backbone` and by recipes that train their own backbones. All processes of one training (DDP)
come through here; only the first of them logs, locks, tracks and writes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.synthetic.cache import stills_fingerprint, synthetic_stills
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.backbone_report import read_report, write_report
from harness.tracking.training_run import TrainingRun
from harness.training import rank
from harness.training.backbones.config import REVISION
from harness.utils.console import suppress_logging
from harness.utils.errors import InputError
from harness.utils.files import remove_stale_temp_files
from harness.utils.hashing import content_hash, to_jsonable
from harness.utils.locks import entry_lock
from harness.utils.store import Store

if TYPE_CHECKING:
    from backbones import BackboneInfo
    from harness.data.layouts import ImageLayout
    from harness.data.stills import Stills
    from harness.tracking.tracker import Tracker
    from harness.training.backbones.train import TrainedStills

    Splits = tuple[Stills, Stills | None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """folder: the entry; kept: it was there already; trained: what was done now; lost: why it could not be tracked."""

    folder: Path
    kept: bool
    trained: TrainedStills | None = None
    lost: str | None = None


@dataclass(frozen=True)
class TrainingData:
    """The stills of a training: their name, what they are known by, and the two splits when they are asked for.

    left_out: how many of the training split are not among them, by reason.
    """

    name: str
    digest: str
    read: Callable[[], Splits]
    licence: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def train_backbone(
    recipe: BackboneRecipe, data: Path | None, store: Store, tracker: Tracker | None = None, force: bool = False
) -> TrainingResult:
    """The recipe's entry `<name>-<key>`, trained on `data` or on the recipe's built-in stills.

    The key is that of everything the weights follow from: settings, stills, the parent's weights, the code's revision.
    force: trained again though it is there. InputError when the parent or the stills are not.
    """
    import backbones

    first = rank.is_rank_zero(recipe.hardware.trainer_arguments(recipe.training.precision))
    if first:
        for folder in (store.backbones, store.trainings):
            remove_stale_temp_files(folder)
    else:
        tracker = None
    if recipe.name in backbones.entries(store.backbones):
        raise InputError(
            f"the store {store} has an imported backbone called '{recipe.name}', which would hide the "
            "trained one; train it under another name: --set name=NAME"
        )
    parent = _get_trainable_parent(recipe, store)
    with nullcontext() if first else suppress_logging():
        material = (
            _synthetic_training_data(recipe, store) if data is None else _training_data_from_folder(recipe, data, store)
        )
    settings = {
        "training": to_jsonable(recipe.training),
        "revision": REVISION,
        "data_digest": material.digest,
        "parent_hash": parent.weights_hash,
    } | _parent_settings(parent)
    folder = store.backbones / f"{recipe.name}-{content_hash(settings)}"
    run = TrainingRun(tracker, folder.name, recipe.name)
    with entry_lock(folder) if first else suppress_logging():
        kept, trained = folder.name in backbones.entries(folder.parent) and not force, None
        run.start(settings, again=force)
        try:
            if not kept:
                logger.info(f"training backbone {recipe.name} from {parent.weights} on {material.name}")
                splits = material.read()
                trained = _train(recipe, parent, material, splits, folder, run)
            if first:
                report = write_report(store, trained, splits, recipe) if trained else read_report(store, folder)
                run.finish(report.points, report.metrics, (material.name, material.digest), report.folder)
        except BaseException as error:
            ended = isinstance(error, (KeyboardInterrupt, SystemExit))
            run.fail("interrupted" if ended else f"{type(error).__name__}: {error}")
            raise
    return TrainingResult(folder, kept, trained, run.lost)


def _parent_settings(parent: BackboneInfo) -> dict[str, Any]:
    """What else the parent's outputs follow from; a random one's reference, which the settings hold, says it."""
    if parent.is_random:
        return {}
    return {"parent_architecture": parent.spec.constructor, "parent_preprocessing": parent.spec.preprocessing.as_dict()}


def _train(
    recipe: BackboneRecipe, parent: BackboneInfo, material: TrainingData, splits: Splits, folder: Path, run: TrainingRun
) -> TrainedStills:
    from harness.training.backbones.train import train_stills

    return train_stills(
        recipe.training,
        *splits,
        folder,
        name=recipe.name,
        checkpoints=folder.parent,
        hardware=recipe.hardware,
        work=folder.with_name(f".{folder.name}.work"),
        licence=_combine_licenses(parent, material),
        on_epoch=run.log_epoch,
        data={"name": material.name, "digest": material.digest, "left_out": dict(material.left_out)},
    )


def _combine_licenses(parent: BackboneInfo, material: TrainingData) -> str:
    """Terms of the weights: those of what they were trained on, beside those of the weights they started from."""
    terms = ("" if parent.is_random else parent.spec.licence, material.licence)
    return "; ".join(dict.fromkeys(term for term in terms if term))


def _get_trainable_parent(recipe: BackboneRecipe, store: Store) -> BackboneInfo:
    """What the training starts from; InputError before any work where that cannot be trained."""
    parent = _get_parent_info(recipe, store)
    if not parent.spec.trainable:
        raise InputError(
            f"'{recipe.training.backbone}' runs through ONNX Runtime and cannot be trained; import the "
            "PyTorch file of the same network, or start from another with --set backbone=NAME"
        )
    return parent


def _get_parent_info(recipe: BackboneRecipe, store: Store) -> BackboneInfo:
    """Where the parent is what another recipe trains and is not there, the message says how to get it."""
    import backbones
    from harness.runner.loader import recipe_names

    wanted = recipe.training.backbone
    try:
        return backbones.get_info(wanted, store.backbones, store.backbone_info)
    except backbones.BackboneError as error:
        several = [name for name in backbones.entries(store.backbones) if name.startswith(f"{wanted}-")]
        if wanted not in recipe_names(BackboneRecipe) or len(several) == 1:
            raise
        if several:
            raise InputError(
                f"{recipe.name} starts from the backbone '{wanted}', and the store has {len(several)} of "
                f"that name; choose one: --set backbone={several[0]} (or {', '.join(several[1:])})"
            ) from error
        raise InputError(
            f"{recipe.name} starts from the backbone '{wanted}', which the store {store} does not have; "
            f"train it (framelight train-backbone {wanted} --store {store}), or start from other weights: "
            "--set backbone=efficientnet_b0, or the name of an imported one"
        ) from error


def _synthetic_training_data(recipe: BackboneRecipe, store: Store) -> TrainingData:
    wanted = recipe.stills
    if wanted is None:
        raise InputError(
            f"recipe '{recipe.name}' is trained on images of yours: add --data DIR "
            f"(see experiments/{recipe.name}.py for what it holds)"
        )

    from harness.data.registry import open_stills

    def read() -> Splits:
        return _select_splits(recipe, open_stills(synthetic_stills(wanted, store)))

    return TrainingData("synthetic stills", stills_fingerprint(wanted), read, recipe.licence)


def _training_data_from_folder(recipe: BackboneRecipe, data: Path, store: Store) -> TrainingData:
    from harness.data.registry import open_stills
    from harness.utils.progress import Progress

    source = open_stills(data)
    splits, left_out = _select_splits(recipe, source), source.excluded_counts("train")
    without = ", ".join(f"{count:,} {reason}" for reason, count in left_out.items())
    logger.info(
        f"{source.name}: {' and '.join(f'{len(split):,}' for split in splits if split is not None)} stills"
        + (f"; left out of the training ones: {without}" if without else "")
    )
    found: list[Any] = []
    with Progress("images", unit="image") as progress:
        for split in splits:
            found.append(None if split is None else split.digest(store.digests, progress))
    licence = recipe.licence or f"{source.name}'s terms"
    return TrainingData(source.name, content_hash(found, 16), lambda: splits, licence, left_out)


def _select_splits(recipe: BackboneRecipe, source: ImageLayout) -> Splits:
    """The training stills and those that are held against them, if there are any.

    People of a test split are unseen, which is what identities are verified on where there is no validation split.
    """
    beside = ("validation",) if recipe.training.expressions else ("validation", "test")
    other = next((split for split in beside if split in source.splits()), None)
    return source.stills("train"), source.stills(other) if other else None
