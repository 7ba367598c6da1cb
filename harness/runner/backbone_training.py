"""Train the backbone of a recipe and add it to the store; an interrupted training is resumed.

Used by `framelight train-backbone` and by recipes that train backbones. In distributed training all processes run this
code; only rank zero logs, locks, tracks and writes.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backbones
from backbones import BackboneInfo
from harness.data.synthetic import STILLS_NAME
from harness.runner.backbone_parent import get_trainable_parent, parent_settings
from harness.runner.backbone_recipe import BackboneRecipe
from harness.runner.backbone_report import has_report, read_report, write_report
from harness.runner.backbone_training_data import TrainingData, open_training_data
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
    from harness.runner.backbone_training_data import Splits
    from harness.tracking.tracker import Tracker
    from harness.training.backbones.trained_stills import TrainedStills

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingResult:
    """Result of `train_backbone`.

    Attributes
    ----------
    folder : Path
        Folder of the trained backbone in the store.
    cached : bool
        Whether the backbone of an earlier training was used.
    trained : TrainedStills or None
        Result of the training; None if `cached`.
    lost : str or None
        Why the training could not be tracked, or None.
    """

    folder: Path
    cached: bool
    trained: TrainedStills | None = None
    lost: str | None = None


def train_backbone(
    recipe: BackboneRecipe, data: Path | None, store: Store, tracker: Tracker | None = None, force: bool = False
) -> TrainingResult:
    """Train the backbone of a recipe, unless the store has it already.

    Its folder in the store is called `<name>-<key>`. The key is a hash of everything that the weights depend on:
    settings, images, parent weights and revision of the code.

    Parameters
    ----------
    recipe : BackboneRecipe
        The recipe.
    data : Path or None
        Dataset to train on; None for the synthetic images of the recipe.
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
        If the parent or the images are missing or unusable, or if an imported backbone has the name of the recipe.
    """
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
    parent = get_trainable_parent(recipe, store)
    with nullcontext() if first else suppress_logging():
        training_data = open_training_data(recipe, data, store)
    settings = {
        "training": to_jsonable(recipe.training),
        "revision": REVISION,
        "data_digest": training_data.digest,
        "parent_hash": parent.weights_hash,
    } | parent_settings(parent, recipe.training.seed)
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


def _work_folder(folder: Path) -> Path:
    """Return the folder of the unfinished training of a backbone."""
    return folder.with_name(f".{folder.name}.work")


def _is_complete(store: Store, folder: Path) -> bool:
    """Return whether the store has a backbone whose training ran to the end, including the report."""
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
        data=_describe_data(training_data),
    )


def _describe_data(training_data: TrainingData) -> dict[str, Any]:
    """Describe the training images for the card; `synthetic` is added only if the name does not imply it."""
    described: dict[str, Any] = {
        "name": training_data.name,
        "digest": training_data.digest,
        "left_out": dict(training_data.left_out),
    }
    if training_data.synthetic and training_data.name != STILLS_NAME:
        described["synthetic"] = True
    return described


def _combine_licenses(parent: BackboneInfo, training_data: TrainingData) -> str:
    """Combine the licenses of the parent weights and of the training data."""
    terms = ("" if parent.is_random else parent.spec.licence, training_data.licence)
    return "; ".join(dict.fromkeys(term for term in terms if term))
