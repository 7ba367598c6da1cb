"""Train a backbone on still images and save its checkpoint."""

from __future__ import annotations

import dataclasses
import logging
import math
import os
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from harness.training.backbones.config import REVISION, Hardware, StillsConfig
from harness.training.backbones.input_checks import (
    check_device,
    check_labels,
    check_same_classes,
    log_shared_subjects,
    select_device,
)
from harness.utils.console import suppress_logging
from harness.utils.hashing import content_hash
from harness.utils.parallel import torch_threads

if TYPE_CHECKING:
    from backbones import Preprocessing
    from harness.data.stills import Stills
    from harness.training.backbones.evaluation import Misclassification
    from harness.training.backbones.images import ImageSet
    from harness.training.backbones.session import Session, StageCallback
    from harness.training.backbones.stage_checkpoints import StageCheckpoints

logger = logging.getLogger(__name__)

DEFAULT_HARDWARE = Hardware()

LOADING_SECONDS = {True: 0.5, False: 2.0}
"""Duration of the measurement of loading and augmentation, by whether images are in memory."""


@dataclass(frozen=True)
class TrainedStills:
    """Result of a backbone training.

    Attributes
    ----------
    folder : Path
        The checkpoint.
    metrics : dict of str to float
        Metrics in the checkpoint's card.
    seconds : float
        Duration of the call.
    images_per_second : float
        Speed of training, including augmentation.
    loading_images_per_second : float
        Speed of decoding and augmentation alone.
    confusion : ndarray of int64, shape (C, C), or None
        Counts over `classes`, with true classes in rows; None without expressions. Like `errors` it is of the
        validation images, or of the selection rows if no validation image has an expression.
    classes : tuple of str
    errors : tuple of Misclassification
        The most confident first.
    history : list of dict
        For each epoch `stage`, `epoch` (from 1), `loss`, `accuracy` or `macro_f1`, `learning_rate` and, for epochs
        that were trained by this call, `images_per_second`.
    """

    folder: Path
    metrics: dict[str, float]
    seconds: float
    images_per_second: float
    loading_images_per_second: float
    confusion: np.ndarray | None = None
    classes: tuple[str, ...] = ()
    errors: tuple[Misclassification, ...] = ()
    history: list[dict[str, Any]] = field(default_factory=list)


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
) -> TrainedStills:
    """Train a backbone on still images and write its checkpoint.

    The training is deterministic: torch uses `config.threads` threads, independent of the caller and the environment.
    In distributed training only rank zero logs, calls `on_epoch` and writes.

    Parameters
    ----------
    config : StillsConfig
    train : Stills
        Training images.
    validation : Stills or None
        Validation images, with the same classes.
    folder : Path
        Folder of the checkpoint, written atomically.
    name : str, optional
        Name in the checkpoint's card. Default: the name of the folder.
    checkpoints : Path, optional
        Folder of trained backbones, which `config.backbone` may name.
    hardware : Hardware
    work : Path, optional
        Working folder. The same call resumes an interrupted training from its last epoch there. It is removed when
        `folder` is complete. Default: a hidden folder beside `folder`.
    data : mapping, optional
        Description of the images in the card (`name`, `digest`, ...). Its digest, if given, is used instead of that of
        the images.
    licence : str
        License of the weights in the card.
    on_epoch : callable, optional
        `on_epoch(stage, epoch, metrics)` is called after each epoch with the stage (`identities-head`,
        `identities-all`, `expressions-head` or `expressions-all`), the epoch, counted from 1, and its `loss`,
        `accuracy` or `macro_f1`, `learning_rate` and `images_per_second`.

    Returns
    -------
    TrainedStills
        `identity_accuracy` is measured on held-out images of the training subjects; it and face verification use the
        weights from before the stage of expressions. `expression_macro_f1` is measured on the validation images, over
        the expressions that occur there.

    Raises
    ------
    InputError
        If the images lack labels that the configuration needs, or this machine lacks the hardware.

    Notes
    -----
    The scores of the checkpoint are logits of the images' classes, then valence and arousal and action units if they
    were trained. Without expressions they are logits of the training subjects.
    """
    import backbones
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
        backbone = backbones.load(config.backbone, checkpoints)
        parent, parent_hash = backbone.weights, backbone.weights_hash
        parts = [part for part in (train, validation) if part is not None]
        digest = (data or {}).get("digest") or content_hash([part.digest() for part in parts])
        stage_checkpoints = StageCheckpoints(
            work or folder.parent / f".{folder.name}.work",
            content_hash([config, REVISION, parent_hash, digest]),
            writes,
        )
        image_sets = _read_images(config, hardware, backbone.spec.preprocessing, stage_checkpoints, train, validation)
        session = Session(
            config,
            hardware,
            backbone,
            ImageTransform(backbone.spec.preprocessing, config.augmentation),
            select_device(hardware),
            stage_checkpoints,
            *image_sets,
            _workers(hardware),
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
        backbones.save_checkpoint(folder, backbone.eval(), card)
        stage_checkpoints.remove()
    return replace(trained, seconds=time.perf_counter() - started)


def _workers(hardware: Hardware) -> int:
    return hardware.workers or os.cpu_count() or 1


def _read_images(
    config: StillsConfig,
    hardware: Hardware,
    spec: Preprocessing,
    work: StageCheckpoints,
    train: Stills,
    validation: Stills | None,
) -> tuple[ImageSet, ImageSet, ImageSet | None]:
    """Read the training images, enlarged and in input size, and the validation images, in memory if they fit."""
    from harness.training.backbones.images import ImageSet, load_images

    larger = replace(spec, input_size=round(config.augmentation.enlarge * spec.input_size))
    size = 3 * (len(train) * larger.input_size**2 + len(validation or ()) * spec.input_size**2)
    keep = size <= hardware.memory_gb * 1e9
    logger.info(
        f"reading {len(train) + len(validation or ())} images"
        + ("" if keep else f"; they need {size / 1e9:.1f} GB of memory and are decoded again in every epoch")
    )

    def load(stills: Stills, preprocessing: Preprocessing, split: str) -> ImageSet:
        recall = partial(work.get_or_compute, f"unreadable-{split}")
        return load_images(stills, preprocessing, config.margin, keep, _workers(hardware), recall)

    train_images = load(train, larger, "train")
    validation_images = load(validation, spec, "validation") if validation is not None and len(validation) else None
    resized = train_images if larger == spec else ImageSet(train_images.stills, spec, config.margin)
    return train_images, resized, validation_images


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
