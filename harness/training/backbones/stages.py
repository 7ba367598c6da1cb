"""Stages of backbone training; each trains the classifier on a frozen backbone, then all layers."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import ImageLoader, iter_image_batches
from harness.training.backbones.session import Session
from harness.training.backbones.stage_config import Schedule
from harness.training.fit import Batch, OptimizerConfig, Selection, Shard
from harness.training.lightning_module import FrameModel
from harness.training.losses import BlockLosses
from harness.training.trainer import fit
from harness.utils.progress import Progress
from harness.utils.text import format_duration

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Stage:
    """A stage: classes, training batches, losses, and the rows that select the epoch.

    Attributes
    ----------
    name : {"identities", "expressions"}
    columns : tuple of str
        Names of the classifier's outputs.
    loader : ImageLoader
    losses : BlockLosses
    schedule : Schedule
    image_set : ImageSet
        Image set that contains the images that select the epoch.
    rows : ndarray of int, shape (n,)
        Rows of `image_set` that select the epoch.
    score : callable
        Maps the outputs [n, columns] of these rows to the value of an epoch.
    metric : str
        Name of the metric that `score` computes.
    seed : int
    """

    name: str
    columns: tuple[str, ...]
    loader: ImageLoader
    losses: BlockLosses
    schedule: Schedule
    image_set: ImageSet
    rows: np.ndarray
    score: Callable[[np.ndarray], float]
    metric: str
    seed: int


@dataclass
class StageResult:
    """Result of a stage.

    Attributes
    ----------
    value : float
        Value of the selected epoch.
    images : int
        Number of images in all epochs. If a part (classifier or all layers) was interrupted, its epochs before the
        interruption are not counted.
    seconds : float
        Training time of these epochs, without evaluation.
    history : list of dict
        Metrics of each epoch: first the epochs of the classifier, then the epochs of all layers.
    """

    value: float = 0.0
    images: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class TimedLoader:
    """Pass on the batches of a loader and measure the training time, without the evaluation that follows.

    Attributes
    ----------
    loader : ImageLoader
    title : str
        Shown before the progress bar.
    images : int
        Images of all epochs so far.
    seconds : float
        Training time of all epochs so far.
    rate : float
        Images per second of the last epoch.
    started : float
        Start of the current epoch.
    """

    loader: ImageLoader
    title: str
    images: int = 0
    seconds: float = 0.0
    rate: float = 0.0
    started: float = 0.0

    def batches(self, epoch: int, shard: Shard) -> Iterator[Batch]:
        """Start the clock of an epoch, yield its batches and show the progress."""
        self.started = time.perf_counter()
        batches, done = self.loader(epoch, shard), 0
        if shard.index > 0:
            yield from batches
            return
        with Progress(f"{self.title}, epoch {epoch + 1}", unit="image") as progress:
            for inputs, targets in batches:
                done = min(done + len(inputs) * shard.of, self.loader.rows_per_epoch)
                progress(done, self.loader.rows_per_epoch)
                yield inputs, targets

    def stop(self) -> None:
        """Stop the clock of the current epoch."""
        elapsed = time.perf_counter() - self.started
        self.rate = self.loader.rows_per_epoch / elapsed
        self.images, self.seconds = self.images + self.loader.rows_per_epoch, self.seconds + elapsed


def train_stage(session: Session, stage: Stage) -> StageResult:
    """Train the session's backbone in place; parts (classifier, all layers) that finished earlier are loaded."""
    schedule, result = stage.schedule, StageResult()
    session.backbone.set_classes(stage.columns, session.config.seed)
    for part, epochs, rate in (
        ("head", schedule.head_epochs, schedule.head_learning_rate),
        ("all", schedule.epochs, schedule.learning_rate),
    ):
        if not epochs:
            continue
        name = f"{stage.name}-{part}"
        record = session.checkpoints.get_record(name)
        if record is None:
            record = _fit_part(session, stage, name, epochs, rate)
            session.checkpoints.save_stage(name, session.backbone.network.state_dict(), record)
        else:
            logger.info(f"{name}: {epochs} epochs were trained earlier")
            session.backbone.network.load_state_dict(session.checkpoints.load_state(name))
        result.value = record["value"]
        result.images, result.seconds = result.images + record["images"], result.seconds + record["seconds"]
        result.history += [{"stage": name, **epoch} for epoch in record["history"]]
    session.backbone.eval()
    return result


def _fit_part(session: Session, stage: Stage, name: str, epochs: int, rate: float) -> dict[str, Any]:
    """Train one part of a stage, load the selected weights into the backbone and return the record."""
    config, schedule, frozen = session.config, stage.schedule, name.endswith("-head")
    timed_loader = TimedLoader(stage.loader, name)
    rates: dict[float, float] = {}
    optimizer_config = OptimizerConfig(
        epochs,
        stage.loader.rows_per_epoch,
        rate,
        schedule=schedule.shape,
        warmup=schedule.warmup,
        weight_decay=config.weight_decay,
        clip=config.clip,
        sharpness=config.sam,
        average=config.average,
        seed=stage.seed + frozen,
    )
    model = FrameModel(
        nn.Identity(), stage.losses, optimizer_config, session.backbone, "scores", inputs=session.inputs, frozen=frozen
    )

    def selection_batches(shard: Shard) -> Iterable[Tensor]:
        timed_loader.stop()
        rows = stage.rows[shard.index :: shard.of]
        return iter_image_batches(stage.image_set, rows, session.prefetch_workers(stage.image_set))

    def log_epoch(epoch: int, value: float) -> bool:
        rates[epoch] = timed_loader.rate
        values = {**_rename_metrics(stage, model.fitted.history[-1]), "images_per_second": timed_loader.rate}
        logger.info(
            f"{name}: epoch {epoch} of {epochs}, loss {values['loss']:.3f}, {stage.metric} {value:z.3f}, "
            f"{timed_loader.rate:,.0f} images/s{_format_remaining(timed_loader, epochs - epoch)}"
        )
        if session.on_epoch is not None:
            session.on_epoch(name, epoch, {key: number for key, number in values.items() if key != "epoch"})
        return False

    keep = "last" if frozen and schedule.epochs > 0 else "best"  # all layers start from the classifier's last epoch
    model.selection = Selection(selection_batches, stage.score, keep=keep, on_epoch=log_epoch)
    model.to(memory_format=torch.channels_last)
    checkpoint = session.checkpoints.checkpoint_path(name)
    if checkpoint.exists():
        logger.info(f"{name}: resuming after the last saved epoch")
    fitted = fit(model, timed_loader.batches, session.hardware.trainer_arguments(config.precision), checkpoint)
    model.load_state_dict(fitted.state)
    speeds = {epoch: {"images_per_second": rate} for epoch, rate in rates.items()}
    history = [{**_rename_metrics(stage, epoch), **speeds.get(epoch["epoch"], {})} for epoch in fitted.history]
    return {
        "epoch": fitted.epoch,
        "value": fitted.history[fitted.epoch - 1]["value"],
        "history": history,
        "images": timed_loader.images,
        "seconds": timed_loader.seconds,
    }


def _format_remaining(timed_loader: TimedLoader, epochs: int) -> str:
    """Format the time that the remaining epochs of a part take at the speed of the last epoch; "" if none remain."""
    seconds = epochs * timed_loader.loader.rows_per_epoch / timed_loader.rate
    return f", about {format_duration(seconds)} left" if epochs else ""


def _rename_metrics(stage: Stage, epoch: Mapping[str, float]) -> dict[str, float]:
    """Rename the entries of a fit's history to the metric names of learning curves."""
    names = {"value": stage.metric.replace(" ", "_").lower(), "rate": "learning_rate"}
    return {names.get(key, key): number for key, number in epoch.items()}
