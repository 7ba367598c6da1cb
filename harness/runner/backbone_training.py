"""Train the backbone of a recipe and add it to the store; an interrupted training is resumed.

Used by `framelight train-backbone` and by recipes that train backbones. In distributed training all processes run this
code; only rank zero logs, locks, tracks and writes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.data.synthetic.cache import stills_fingerprint, synthetic_stills
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.backbone_report import has_report, read_report, write_report
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
    from harness.training.backbones.trained_stills import TrainedStills

    Splits = tuple[Stills, Stills | None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """Result of `train_backbone`.

    Attributes
    ----------
    folder : Path
        Folder of the trained backbone in the store.
    cached : bool
        Whether the backbone was in the store already.
    trained : TrainedStills or None
        Result of the training; None if `cached`.
    lost : str or None
        Why the training could not be tracked.
    """

    folder: Path
    cached: bool
    trained: TrainedStills | None = None
    lost: str | None = None


@dataclass(frozen=True)
class TrainingData:
    """Still images of a training.

    Attributes
    ----------
    name : str
        Name of the data set.
    digest : str
        Digest of images and labels.
    read : callable
        Returns the training split, and the validation split or None.
    licence : str
        Terms of the data.
    left_out : mapping of str to int
        Numbers of excluded training images, by reason.
    """

    name: str
    digest: str
    read: Callable[[], Splits]
    licence: str
    left_out: Mapping[str, int] = field(default_factory=dict)


def train_backbone(
    recipe: BackboneRecipe, data: Path | None, store: Store, tracker: Tracker | None = None, force: bool = False
) -> TrainingResult:
    """Train the backbone of a recipe, unless the store has it already.

    The entry is called `<name>-<key>`. The key is a hash of everything that the weights depend on: settings, images,
    parent weights and revision of the code.

    Parameters
    ----------
    recipe : BackboneRecipe
        The recipe.
    data : Path or None
        Data set to train on; None for the synthetic images of the recipe.
    store : Store
        Store of the backbone.
    tracker : Tracker, optional
        Tracks the training.
    force : bool
        Train again even if the store has the backbone.

    Returns
    -------
    TrainingResult
        The result.

    Raises
    ------
    InputError
        If the parent or the images are not available, or if an imported backbone has the name of the recipe.
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
            "trained backbone; train under another name: --set name=NAME"
        )
    parent = _get_trainable_parent(recipe, store)
    with nullcontext() if first else suppress_logging():
        training_data = (
            _synthetic_training_data(recipe, store) if data is None else _training_data_from_folder(recipe, data, store)
        )
    settings = {
        "training": to_jsonable(recipe.training),
        "revision": REVISION,
        "data_digest": training_data.digest,
        "parent_hash": parent.weights_hash,
    } | _parent_settings(parent, recipe.training.seed)
    folder = store.backbones / f"{recipe.name}-{content_hash(settings)}"
    run = TrainingRun(tracker, folder.name, recipe.name)
    with entry_lock(folder) if first else suppress_logging():
        cached, trained = not force and _is_complete(store, folder), None
        run.start(settings, again=force)
        try:
            if not cached:
                weights = f"random (seed {recipe.training.seed})" if parent.is_random else parent.weights
                logger.info(f"training backbone {recipe.name} from {weights} on {training_data.name}")
                splits = training_data.read()
                report_writer = partial(write_report, store, splits=splits, recipe=recipe)
                trained = _train(recipe, parent, training_data, splits, folder, run, report_writer)
            elif first:
                shutil.rmtree(_work_folder(folder), ignore_errors=True)
            if first:
                report = read_report(store, folder)
                run.finish(report.points, report.metrics, (training_data.name, training_data.digest), report.folder)
        except BaseException as error:
            interrupted = isinstance(error, (KeyboardInterrupt, SystemExit))
            run.fail("interrupted" if interrupted else f"{type(error).__name__}: {error}")
            raise
    return TrainingResult(folder, cached, trained, run.lost)


def _parent_settings(parent: BackboneInfo, seed: int) -> dict[str, Any]:
    """Return what else the parent's outputs depend on: for random weights the seed, unless it is 0."""
    if parent.is_random:
        return {"initial_seed": seed} if seed else {}
    return {"parent_architecture": parent.spec.constructor, "parent_preprocessing": parent.spec.preprocessing.as_dict()}


def _work_folder(folder: Path) -> Path:
    """Return the folder of the unfinished training of an entry."""
    return folder.with_name(f".{folder.name}.work")


def _is_complete(store: Store, folder: Path) -> bool:
    """Return whether an entry is in the store and its training was not interrupted before its report was written."""
    import backbones

    if folder.name not in backbones.entries(folder.parent):
        return False
    return has_report(store, folder) or not _work_folder(folder).is_dir()


def _train(  # noqa: PLR0913 - each is passed on to `train_stills`
    recipe: BackboneRecipe,
    parent: BackboneInfo,
    training_data: TrainingData,
    splits: Splits,
    folder: Path,
    run: TrainingRun,
    on_complete: Callable[[TrainedStills], object],
) -> TrainedStills:
    from harness.training.backbones.train import train_stills

    return train_stills(
        recipe.training,
        *splits,
        folder,
        name=recipe.name,
        checkpoints=folder.parent,
        hardware=recipe.hardware,
        work=_work_folder(folder),
        licence=_combine_licenses(parent, training_data),
        on_epoch=run.log_epoch,
        on_complete=on_complete,
        data={"name": training_data.name, "digest": training_data.digest, "left_out": dict(training_data.left_out)},
    )


def _combine_licenses(parent: BackboneInfo, training_data: TrainingData) -> str:
    """Combine the licenses of the parent weights and of the training data."""
    terms = ("" if parent.is_random else parent.spec.licence, training_data.licence)
    return "; ".join(dict.fromkeys(term for term in terms if term))


def _get_trainable_parent(recipe: BackboneRecipe, store: Store) -> BackboneInfo:
    """Return the backbone that the training starts from; raise InputError if it cannot be trained."""
    parent = _get_parent_info(recipe, store)
    if not parent.spec.trainable:
        raise InputError(
            f"backbone '{recipe.training.backbone}' runs in ONNX Runtime and cannot be trained; import the "
            "PyTorch file of the same network, or start from another backbone with --set backbone=NAME"
        )
    return parent


def _get_parent_info(recipe: BackboneRecipe, store: Store) -> BackboneInfo:
    """Return the parent; if another recipe trains it and it is missing, the error says how to train it."""
    import backbones
    from harness.runner.loader import recipe_names

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


def _synthetic_training_data(recipe: BackboneRecipe, store: Store) -> TrainingData:
    stills = recipe.stills
    if stills is None:
        raise InputError(
            f"recipe '{recipe.name}' needs a data set of still images: add --data DIR "
            f"(see experiments/{recipe.name}.py for its contents)"
        )

    from harness.data.registry import open_stills

    def read() -> Splits:
        return _select_splits(recipe, open_stills(synthetic_stills(stills, store)))

    return TrainingData("synthetic stills", stills_fingerprint(stills), read, recipe.licence)


def _training_data_from_folder(recipe: BackboneRecipe, data: Path, store: Store) -> TrainingData:
    from harness.data.registry import open_stills
    from harness.utils.progress import Progress

    source = open_stills(data)
    splits, left_out = _select_splits(recipe, source), source.excluded_counts("train")
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
    return TrainingData(source.name, content_hash(digests, 16), lambda: splits, licence, left_out)


def _select_splits(recipe: BackboneRecipe, source: ImageLayout) -> Splits:
    """Return the training split, and the validation split if there is one.

    Without a validation split, identities are verified on the test split, whose people are not in the training split.
    """
    candidates = ("validation",) if recipe.training.expressions else ("validation", "test")
    validation = next((split for split in candidates if split in source.splits()), None)
    return source.stills("train"), source.stills(validation) if validation else None
