"""Stills become a backbone checkpoint: identities first, then expressions."""

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
from harness.utils.console import suppress_logging
from harness.utils.errors import InputError
from harness.utils.hashing import content_hash
from harness.utils.parallel import torch_threads

if TYPE_CHECKING:
    from backbones import Preprocessing
    from harness.data.stills import Stills
    from harness.training.backbones.evaluation import Misclassification
    from harness.training.backbones.images import ImageSet
    from harness.training.backbones.stage_checkpoints import StageCheckpoints
    from harness.training.backbones.stages import Session, StageCallback

logger = logging.getLogger(__name__)

DEFAULT_HARDWARE = Hardware()

LOADING_SECONDS = {True: 0.5, False: 2.0}
"""How long loading and augmentation are timed alone, of pictures in memory and of others."""


@dataclass(frozen=True)
class TrainedStills:
    """folder: the checkpoint; metrics: those of its card.

    seconds: this call took. images_per_second: of training, augmentation included; loading_images_per_second: of
    decoding and augmentation alone. confusion: int64 [C, C] over `classes`, rows the truth, None without expressions;
    errors: the surest first; both of the validation stills, of the selection slice where those have no expression.
    history: for each epoch `stage`, `epoch` (from 1), `loss`, `accuracy` or `macro_f1`, `learning_rate` and, of
    those trained by this call, `images_per_second`.
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
    tell: StageCallback | None = None,
) -> TrainedStills:
    """Train `config.backbone` on the stills and write it to `folder`, aside and renamed.

    name: what the checkpoint's card calls it (default: the folder's name); checkpoints: where trained entries that
    `config.backbone` names are found. work: what a killed training leaves (default: a hidden folder beside `folder`);
    the same call goes on from its last epoch, and removes it when `folder` is in place. data: what the card says of
    the stills (`name`, `digest`, ...); its digest, where given, stands for theirs. tell: called after each epoch with
    the stage (`identities-head`, `identities-all`, `expressions-head`, `expressions-all`), the epoch from 1 and its
    `loss`, `accuracy` or `macro_f1`, `learning_rate` and `images_per_second`. Of several processes of one training
    only the first logs, tells and writes.

    The checkpoint's scores are logits of the stills' classes, then valence, arousal and action units where they are
    learned (of the training subjects when there are no expressions). `identity_accuracy` is on held-out stills of
    the training subjects; it and the verification are of the weights that the identities left, before expressions.
    `expression_macro_f1` is on the validation stills, over the expressions that occur there.
    Deterministic: torch works on `config.threads` threads, whatever the caller or the environment had set.
    InputError when the stills cannot teach what is asked.
    """
    import backbones
    from harness.training.backbones.batch_transforms import ImageTransform
    from harness.training.backbones.stage_checkpoints import StageCheckpoints
    from harness.training.backbones.stages import Session
    from harness.training.rank import is_rank_zero

    started, folder = time.perf_counter(), Path(folder)
    _check_same_classes(train, validation)
    hardware.batch(config.batch_size)
    _check_device(config, hardware)
    _check_labels(config, train)
    writes = is_rank_zero(hardware.trainer_arguments(config.precision))
    with nullcontext() if writes else suppress_logging():
        _log_shared_subjects(train, validation)
        backbone = backbones.load(config.backbone, checkpoints)
        parent, parent_hash = backbone.weights, backbone.weights_hash
        parts = [part for part in (train, validation) if part is not None]
        known = (data or {}).get("digest") or content_hash([part.digest() for part in parts])
        kept = StageCheckpoints(
            work or folder.parent / f".{folder.name}.work", content_hash([config, REVISION, parent_hash, known]), writes
        )
        pictures = _read_images(config, hardware, backbone.spec.preprocessing, kept, train, validation)
        session = Session(
            config,
            hardware,
            backbone,
            ImageTransform(backbone.spec.preprocessing, config.augmentation),
            _select_device(hardware),
            kept,
            *pictures,
            _workers(hardware),
            tell,
        )
        with torch.random.fork_rng(devices=[]), torch_threads(config.threads):
            trained = _train_stages(session, folder)
    card = {
        "name": name or folder.name,
        "data_digest": known,
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
        kept.remove()
    return replace(trained, seconds=time.perf_counter() - started)


def _check_same_classes(train: Stills, validation: Stills | None) -> None:
    if not len(train):
        raise InputError("there are no training stills")
    if validation is not None and validation.classes != train.classes:
        raise InputError(
            f"the validation stills' classes are {', '.join(validation.classes)}, those of the training "
            f"stills {', '.join(train.classes)}; both need the same in the same order"
        )


def _check_device(config: StillsConfig, hardware: Hardware) -> None:
    """Before hours of decoding; what Lightning refuses or would replace by something else."""
    device = _select_device(hardware).type
    if device == "cpu" and hardware.accelerator not in ("auto", "cpu"):
        raise InputError(
            f"hardware.accelerator={hardware.accelerator}, but torch finds none on this machine; choose auto or cpu"
        )
    cores = os.cpu_count() or 1
    if device == "cpu" and hardware.devices.isdecimal() and int(hardware.devices) > cores:
        raise InputError(
            f"hardware.devices={hardware.devices}, but this machine has {cores} cores and no accelerator "
            "for torch; a process on a core each is the most that is useful"
        )
    if config.precision == "16-mixed" and device == "cpu":
        raise InputError("precision=16-mixed needs a GPU; on the CPU choose bf16-mixed or 32-true")


def _check_labels(config: StillsConfig, train: Stills) -> None:
    if config.expressions is not None and not (train.expression >= 0).any():
        without = "; identities alone can be learned: --set expressions=none" if config.identities else ""
        raise InputError(
            f"none of the {len(train):,} training stills has an expression: give AffectNet, or a table "
            f"with the column expression{without}"
        )


def _log_shared_subjects(train: Stills, validation: Stills | None) -> None:
    """Log whether validation subjects are in the training stills too."""
    if validation is None:
        return
    seen, tried = ({part.subjects[subject] for subject in np.unique(part.subject)} for part in (train, validation))
    if shared := sorted(seen & tried):
        logger.info(
            f"{len(shared)} of the {len(tried)} validation subjects are in the training stills too, the first "
            f"{shared[0]}: the validation figures are not of unseen people"
        )


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
    """Read the training images larger than the input and as large, then the validation images.

    They are kept in memory where they fit.
    """
    from harness.training.backbones.images import ImageSet, load_images

    larger = replace(spec, input_size=round(config.augmentation.enlarge * spec.input_size))
    size = 3 * (len(train) * larger.input_size**2 + len(validation or ()) * spec.input_size**2)
    keep = size <= hardware.memory_gb * 1e9
    logger.info(
        f"reading {len(train) + len(validation or ())} stills"
        + ("" if keep else f"; they take {size / 1e9:.1f} GB and are decoded anew in every epoch")
    )

    def pictures(stills: Stills, preprocessing: Preprocessing, split: str) -> ImageSet:
        recall = partial(work.get_or_compute, f"unreadable-{split}")
        return load_images(stills, preprocessing, config.margin, keep, _workers(hardware), recall)

    fit = pictures(train, larger, "train")
    select = pictures(validation, spec, "validation") if validation is not None and len(validation) else None
    plain = fit if larger == spec else ImageSet(fit.stills, spec, config.margin)
    return fit, plain, select


def _train_stages(session: Session, folder: Path) -> TrainedStills:
    from harness.training.backbones.expressions import train_expressions
    from harness.training.backbones.identities import train_identities

    config, metrics, outcomes, report = session.config, {}, [], None
    loading = _measure_loading_rate(session)
    if config.identities is not None:
        found, outcome = train_identities(session)
        metrics, outcomes = found, [outcome]
    if config.expressions is not None:
        report, outcome = train_expressions(session)
        metrics, outcomes = metrics | report.metrics, [*outcomes, outcome]
    seconds = sum(outcome.seconds for outcome in outcomes)
    rate = sum(outcome.images for outcome in outcomes) / seconds if seconds else 0.0
    metrics |= {"loading_images_per_second": round(loading, 1), "training_images_per_second": round(rate, 1)}
    logger.info(f"training took in {rate:,.0f} images/s; loading and augmentation alone give {loading:,.0f}")
    history = [epoch for outcome in outcomes for epoch in outcome.history]
    shown = (
        {} if report is None else {"confusion": report.confusion, "classes": report.classes, "errors": report.errors}
    )
    return TrainedStills(folder, metrics, 0.0, rate, loading, history=history, **shown)


def _measure_loading_rate(session: Session) -> float:
    from harness.training.backbones.loader import ShuffledOrder, measure_loading_rate

    rows = np.arange(len(session.train))
    return measure_loading_rate(
        session.make_loader(rows, {}, ShuffledOrder(len(rows), 0)),
        session.inputs,
        session.device,
        LOADING_SECONDS[session.train.images is not None],
    )


def _select_device(hardware: Hardware) -> torch.device:
    """Where what is not trained runs: this process's device of those that Lightning will train on."""
    wanted = hardware.accelerator
    if wanted in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))
    if wanted in ("auto", "gpu", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _describe_selection(config: StillsConfig) -> str:
    """What chose the epoch that the checkpoint holds."""
    if config.expressions is None:
        return "training subjects' held-out stills"
    return "training subjects" if config.expressions.held_out else "validation"


def _to_strict_json(config: StillsConfig) -> dict[str, Any]:
    """As strict JSON types: infinity is a word there."""

    def replace_infinity(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: replace_infinity(part) for name, part in value.items()}
        return "inf" if isinstance(value, float) and math.isinf(value) else value

    return replace_infinity(dataclasses.asdict(config))
