"""Train a backbone on still images and save its checkpoint."""

from __future__ import annotations

import dataclasses
import logging
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

import backbones
from backbones.card import read_card
from backbones.references import resolve
from harness.data.learned_images import CARD_KEY, IMAGE_HASHES, hash_learned_images, read_learned_images
from harness.training.backbones.config import REVISION, Hardware, StillsConfig
from harness.training.backbones.input_checks import (
    check_device,
    check_labels,
    check_same_classes,
    log_shared_subjects,
    select_device,
)
from harness.training.backbones.trained_stills import TrainedStills
from harness.training.backbones.training_images import read_images, worker_count
from harness.utils.console import suppress_logging
from harness.utils.hashing import content_hash
from harness.utils.parallel import torch_threads

if TYPE_CHECKING:
    from backbones import Backbone
    from harness.data.stills import Stills
    from harness.training.backbones.session import Session, StageCallback

logger = logging.getLogger(__name__)

DEFAULT_HARDWARE = Hardware()

LOADING_SECONDS = {True: 0.5, False: 2.0}
"""Maximum time in seconds for measuring the speed of loading; the key is whether images are in memory."""


def train_stills(  # noqa: PLR0913 - public, one keyword for each option
    config: StillsConfig,
    train: Stills,
    validation: Stills | None,
    folder: Path,
    *,
    name: str | None = None,
    checkpoints: Path | None = None,
    hardware: Hardware = DEFAULT_HARDWARE,
    work: Path | None = None,
    data: Mapping[str, Any] | None = None,
    licence: str = "",
    on_epoch: StageCallback | None = None,
    on_complete: Callable[[TrainedStills], object] | None = None,
) -> TrainedStills:
    """Train a backbone on still images and write its checkpoint.

    The training is deterministic: torch uses `config.threads` threads, independent of the caller and the environment.
    In distributed training only rank zero logs, writes and calls `on_epoch` and `on_complete`.

    Parameters
    ----------
    config : StillsConfig
    train : Stills
        Training images.
    validation : Stills or None
        Validation images, with the same classes as the training images.
    folder : Path
        Folder of the checkpoint, written atomically.
    name : str, optional
        Name in the checkpoint's card. Default: the name of the folder.
    checkpoints : Path, optional
        Folder of trained backbones; `config.backbone` may be the name of one of them.
    hardware : Hardware
    work : Path, optional
        Working folder, from which the same call resumes an interrupted training after its last finished epoch. It
        is removed when `folder` is complete. Default: a hidden folder next to `folder`.
    data : mapping, optional
        Description of the images (`name`, `digest`, ...) that is stored in the card. If it has no `digest`, a digest of
        the images is computed.
    licence : str
        License of the weights in the card.
    on_epoch : callable, optional
        `on_epoch(stage, epoch, metrics)` is called after each epoch. `stage` is `identities-head`, `identities-all`,
        `expressions-head` or `expressions-all`. `epoch` counts from 1. `metrics` has `loss`, `learning_rate`,
        `images_per_second` and either `accuracy` or `macro_f1`.
    on_complete : callable, optional
        Called with the result when `folder` is complete and before `work` is removed. If the callback is interrupted,
        the same call of `train_stills` resumes from the finished stages and calls `on_complete` again.

    Returns
    -------
    TrainedStills
        In its `metrics`, `identity_accuracy` is measured on held-out images of the training subjects. Like the metrics
        of face verification, it is measured before the expression stage. `expression_macro_f1` is the mean F1 over the
        expressions that occur in the validation images. It is missing if no validation image has an expression.

    Raises
    ------
    InputError
        If there are too few readable images or labels for the configuration, if the training and validation images
        have different classes, if `work` has files that do not belong to a training, if the batch size does not fit
        the hardware settings, or if this machine lacks the hardware.
    FramelightError
        If the loss or the outputs stop being finite, or if an image can no longer be read.

    Notes
    -----
    The scores of the trained backbone are the logits of the expressions. Valence and arousal, then the action units,
    follow if the backbone was trained on them. Without an expression stage, the scores are the logits of the training
    subjects.
    """
    from harness.training.backbones.batch_transforms import ImageTransform
    from harness.training.backbones.session import Session
    from harness.training.backbones.stage_checkpoints import StageCheckpoints
    from harness.training.rank import is_rank_zero

    started, folder = time.perf_counter(), Path(folder)
    check_same_classes(train, validation)
    hardware.batch(config.batch_size)
    check_device(config, hardware)
    check_labels(config, train)
    writes = is_rank_zero(hardware.trainer_arguments(config.precision))
    with nullcontext() if writes else suppress_logging():
        log_shared_subjects(train, validation)
        backbone = _load_initial_weights(config, checkpoints)
        parent, parent_hash = backbone.weights, backbone.weights_hash
        backbone = backbones.make_trainable(backbone)
        parts = [part for part in (train, validation) if part is not None]
        digest = (data or {}).get("digest") or content_hash([part.digest() for part in parts])
        stage_checkpoints = StageCheckpoints(
            work or folder.parent / f".{folder.name}.work",
            content_hash([config, REVISION, parent_hash, digest]),
            writes,
        )
        image_sets = read_images(config, hardware, backbone.spec.preprocessing, stage_checkpoints, train, validation)
        session = Session(
            config,
            hardware,
            backbone,
            ImageTransform(backbone.spec.preprocessing, config.augmentation),
            select_device(hardware),
            stage_checkpoints,
            *image_sets,
            worker_count(hardware),
            on_epoch,
        )
        with torch.random.fork_rng(devices=[]), torch_threads(config.threads):
            trained = _train_stages(session, folder)
    card = {
        "name": name or folder.name,
        "data_digest": digest,
        "stills": len(session.train),
        "parent": parent,
        "parent_hash": parent_hash,
        "metrics": trained.metrics,
        "selection": _describe_selection(config),
        "recipe": {**_to_strict_json(config), "revision": REVISION},
    }
    card |= {key: value for key, value in (("data", dict(data or {})), ("licence", licence)) if value}
    if writes:
        file, card[CARD_KEY] = _hash_learned_images(session, parent, checkpoints)
        backbones.save_checkpoint(folder, backbone.eval(), card, {IMAGE_HASHES: file})
        trained = replace(trained, seconds=time.perf_counter() - started)
        if on_complete is not None:
            on_complete(trained)
        stage_checkpoints.remove()
    return trained


def _load_initial_weights(config: StillsConfig, checkpoints: Path | None) -> Backbone:
    """Load the backbone that the training starts from; random weights depend on the seed of the training."""
    backbone = backbones.load(config.backbone, checkpoints)
    if not backbone.is_random or not config.seed:
        return backbone
    return backbones.build(config.backbone.partition("@")[0], seed=config.seed)


def _hash_learned_images(session: Session, weights: str, checkpoints: Path | None) -> tuple[bytes, dict[str, Any]]:
    """Hash the training images, and add the hashes that are stored with the initial backbone, if there are any."""
    source = resolve(session.config.backbone, checkpoints)
    parent = source.folder if source.kind == "checkpoint" else None
    unknown = "" if source.kind == "random" else weights
    if parent is not None and read_learned_images(parent) is not None:
        unknown = str((read_card(parent).get(CARD_KEY) or {}).get("unknown", ""))
    return hash_learned_images(session.train.stills, session.config.margin, session.workers, parent, unknown)


def _train_stages(session: Session, folder: Path) -> TrainedStills:
    from harness.training.backbones.expressions import train_expressions
    from harness.training.backbones.identities import train_identities

    config, results, evaluation = session.config, [], None
    metrics: dict[str, float] = {}
    loading_rate = _measure_loading_rate(session)
    if config.identities is not None:
        metrics, result = train_identities(session, config.identities)
        results.append(result)
    if config.expressions is not None:
        evaluation, result = train_expressions(session, config.expressions)
        metrics = metrics | evaluation.metrics
        results.append(result)
    seconds = sum(result.seconds for result in results)
    rate = sum(result.images for result in results) / seconds if seconds else 0.0
    metrics |= {"loading_images_per_second": round(loading_rate, 1), "training_images_per_second": round(rate, 1)}
    logger.info(f"training speed: {rate:,.0f} images/s; loading and augmentation alone: {loading_rate:,.0f} images/s")
    trained = TrainedStills(
        folder, metrics, 0.0, rate, loading_rate, history=[epoch for result in results for epoch in result.history]
    )
    if evaluation is None:
        return trained
    return replace(trained, confusion=evaluation.confusion, classes=evaluation.classes, errors=evaluation.errors)


def _measure_loading_rate(session: Session) -> float:
    from harness.training.backbones.loader import ShuffledOrder, measure_loading_rate

    rows = np.arange(len(session.train))
    return measure_loading_rate(
        session.make_loader(rows, {}, ShuffledOrder(len(rows), 0)),
        session.inputs,
        session.device,
        LOADING_SECONDS[session.train.images is not None],
    )


def _describe_selection(config: StillsConfig) -> str:
    """Describe the images that selected the checkpoint's epoch; stored in the card."""
    if config.expressions is None:
        return "training subjects' held-out stills"
    return "training subjects" if config.expressions.held_out else "validation"


def _to_strict_json(config: StillsConfig) -> dict[str, Any]:
    """Convert to strict JSON types, with infinity as a string."""

    def replace_infinity(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replace_infinity(part) for name, part in value.items()}
        return "inf" if isinstance(value, float) and math.isinf(value) else value

    return replace_infinity(dataclasses.asdict(config))
