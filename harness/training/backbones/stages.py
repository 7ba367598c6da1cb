"""A lesson's two stages, classifier and all layers, each a fit of the one Lightning module, kept when it is done."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.training.backbones.batch_transforms import ImageTransform
from harness.training.backbones.config import Hardware, StillsConfig
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import ImageLoader, iter_image_batches
from harness.training.backbones.stage_checkpoints import StageCheckpoints
from harness.training.backbones.stage_config import Schedule
from harness.training.fit import Batch, OptimizerConfig, Selection, Shard
from harness.training.lightning_module import FrameModel
from harness.training.trainer import fit

if TYPE_CHECKING:
    from backbones import Backbone
    from harness.training.losses import BlockLosses

logger = logging.getLogger(__name__)

StageCallback = Callable[[str, int, dict[str, float]], None]


@dataclass(frozen=True, eq=False)
class Session:
    """What the stages of one training share.

    train: pictures to learn from, larger than the backbone's input where crops are cut from them; plain: the same
    stills as the backbone will see them; validation: likewise, of people of their own.
    """

    config: StillsConfig
    hardware: Hardware
    backbone: Backbone
    inputs: ImageTransform
    device: torch.device
    work: StageCheckpoints
    train: ImageSet
    plain: ImageSet
    validation: ImageSet | None
    workers: int
    tell: StageCallback | None

    def prefetch_workers(self, pictures: ImageSet) -> int:
        """Threads that prepare batches; none where the pictures are in memory and the cores are what trains."""
        return self.workers if pictures.images is None else int(self.device.type != "cpu")

    def make_loader(
        self, rows: np.ndarray, targets: dict[str, tuple[Tensor, Tensor]], order: Callable[[int], np.ndarray]
    ) -> ImageLoader:
        step = self.config.batch_size
        return ImageLoader(
            self.train, rows, targets, order, step, self.hardware.batch(step), self.prefetch_workers(self.train)
        )


@dataclass(frozen=True, eq=False)
class Stage:
    """What is learned: the classifier's columns, batches, losses, and the rows of `pictures` that choose the epoch.

    score: outputs [n, columns] of those rows -> the value of an epoch, called `metric` where it is told.
    """

    name: str
    columns: tuple[str, ...]
    loader: ImageLoader
    losses: BlockLosses
    schedule: Schedule
    pictures: ImageSet
    rows: np.ndarray
    score: Callable[[np.ndarray], float]
    metric: str
    seed: int


@dataclass
class StageResult:
    """value: of the kept epoch; images, seconds: trained, and how long that took; history: of both stages."""

    value: float = 0.0
    images: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class TimedLoader:
    """Batches passed on, and how long training on them took, without the selection that follows."""

    loader: ImageLoader
    images: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    started: float = 0.0

    def batches(self, epoch: int, part: Shard) -> Iterator[Batch]:
        self.started = time.perf_counter()
        yield from self.loader(epoch, part)

    def stop(self) -> None:
        taken = time.perf_counter() - self.started
        self.rate = self.loader.rows_per_epoch / taken
        self.images, self.seconds = self.images + self.loader.rows_per_epoch, self.seconds + taken


def train_stage(session: Session, lesson: Stage) -> StageResult:
    """Teach the session's backbone the lesson, in place; a stage that was finished before is taken as it was left."""
    how, outcome = lesson.schedule, StageResult()
    session.backbone.set_classes(lesson.columns, session.config.seed)
    for part, epochs, rate in (
        ("head", how.head_epochs, how.head_learning_rate),
        ("all", how.epochs, how.learning_rate),
    ):
        if not epochs:
            continue
        name = f"{lesson.name}-{part}"
        record = session.work.get_record(name)
        if record is None:
            record = _fit_part(session, lesson, name, epochs, rate)
            session.work.save_stage(name, session.backbone.network.state_dict(), record)
        else:
            logger.info(f"{name}: {epochs} epochs were done before")
            session.backbone.network.load_state_dict(session.work.load_state(name))
        outcome.value = record["value"]
        outcome.images, outcome.seconds = outcome.images + record["images"], outcome.seconds + record["seconds"]
        outcome.history += [{"stage": name, **epoch} for epoch in record["history"]]
    session.backbone.eval()
    return outcome


def _fit_part(session: Session, lesson: Stage, name: str, epochs: int, rate: float) -> dict[str, Any]:
    """Fit one stage and leave the kept weights in the backbone; its record."""
    config, how, frozen = session.config, lesson.schedule, name.endswith("-head")
    meter, rates = TimedLoader(lesson.loader), {}
    optimisation = OptimizerConfig(
        epochs,
        lesson.loader.rows_per_epoch,
        rate,
        schedule=how.shape,
        warmup=how.warmup,
        weight_decay=config.weight_decay,
        clip=config.clip,
        sharpness=config.sam,
        average=config.average,
        seed=lesson.seed + frozen,
    )
    model = FrameModel(
        nn.Identity(), lesson.losses, optimisation, session.backbone, "scores", inputs=session.inputs, frozen=frozen
    )

    def selection_batches(part: Shard) -> Iterable[Tensor]:
        meter.stop()
        rows = lesson.rows[part.index :: part.of]
        return iter_image_batches(lesson.pictures, rows, session.prefetch_workers(lesson.pictures))

    def log_epoch(epoch: int, value: float) -> bool:
        rates[epoch] = meter.rate
        values = {**_rename_metrics(lesson, model.fitted.history[-1]), "images_per_second": meter.rate}
        logger.info(
            f"{name}: epoch {epoch} of {epochs}, loss {values['loss']:.3f}, {lesson.metric} {value:.3f}, "
            f"{meter.rate:,.0f} images/s"
        )
        if session.tell is not None:
            session.tell(name, epoch, {key: number for key, number in values.items() if key != "epoch"})
        return False

    passing = frozen and how.epochs > 0  # all layers go on from its last epoch
    model.selection = Selection(selection_batches, lesson.score, keep="last" if passing else "best", on_epoch=log_epoch)
    model.to(memory_format=torch.channels_last)
    if session.work.checkpoint_path(name).exists():
        logger.info(f"{name}: taken up again after its last kept epoch")
    fitted = fit(
        model, meter.batches, session.hardware.trainer_arguments(config.precision), session.work.checkpoint_path(name)
    )
    model.load_state_dict(fitted.state)
    speeds = {epoch: {"images_per_second": rate} for epoch, rate in rates.items()}
    history = [{**_rename_metrics(lesson, epoch), **speeds.get(epoch["epoch"], {})} for epoch in fitted.history]
    return {
        "epoch": fitted.epoch,
        "value": fitted.history[fitted.epoch - 1]["value"],
        "history": history,
        "images": meter.images,
        "seconds": meter.seconds,
    }


def _rename_metrics(lesson: Stage, epoch: Mapping[str, float]) -> dict[str, float]:
    """An epoch of a fit's history under the names that curves are shown by."""
    names = {"value": lesson.metric.replace(" ", "_").lower(), "rate": "learning_rate"}
    return {names.get(key, key): number for key, number in epoch.items()}
