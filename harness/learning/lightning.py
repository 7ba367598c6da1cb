"""The one door to pytorch_lightning: a backbone (or none), a head and their losses, fitted by its Trainer."""

from __future__ import annotations

import logging
import math
import signal
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytorch_lightning as pl
import torch
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.utilities.exceptions import SIGTERMException
from torch import Tensor, nn

from harness.errors import FramelightError, unknown
from harness.learning.losses import BlockLosses, Targets, penalty

Batch = tuple[Tensor, Targets]
OnEpoch = Callable[[int, float], bool]


@dataclass(frozen=True)
class Part:
    """The share of rows that this process handles: rows[index::of]."""

    index: int
    of: int


WHOLE = Part(0, 1)
Batches = Callable[[int, Part], Iterable[Batch]]

FEATURES = ("embeddings", "scores", "embeddings+scores")


@dataclass(frozen=True)
class Optimisation:
    """How weights move: AdamW (Adam when weight_decay is 0), its rate warmed up and then lowered to 0, or constant.

    rows: rows seen in one epoch; the schedule follows the share of rows seen, however they are batched.
    warmup: share of the training in which the rate rises from 0.
    clip: largest gradient norm; 0 for none.
    """

    epochs: int
    rows: int
    learning_rate: float
    schedule: str = "cosine"
    warmup: float = 0.0
    weight_decay: float = 0.0
    l2: float = 0.0
    clip: float = 0.0

    def rate(self, seen: int) -> float:
        """Learning rate after `seen` rows."""
        done = min(seen / max(self.epochs * self.rows, 1), 1.0)
        if done < self.warmup:
            return self.learning_rate * max(done, 0.01 * self.warmup) / self.warmup
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))


@dataclass
class Fitted:
    """What a fit leaves. history: for each epoch `epoch` (from 1), `loss` and, with selection rows, `value`."""

    state: dict[str, Tensor]
    epoch: int
    history: list[dict[str, float]]
    stopped: bool


@dataclass(frozen=True)
class Selection:
    """Rows that choose the epoch: `batches(part)` gives the inputs of the part's rows in order, `score(logits [N, C])`
    the value of them all."""

    batches: Callable[[Part], Iterable[Tensor]]
    score: Callable[[np.ndarray], float]
    keep: str = "best"
    on_epoch: OnEpoch | None = None


class Stream:
    """Batches that are already made; the n-th pass is epoch n, counted from 0.

    A pass counts once its first batch is asked for: Lightning also opens iterators that it never reads.
    """

    def __init__(self, batches: Callable[[int], Iterable[Any]]) -> None:
        self.batches, self.epoch = batches, -1

    def __iter__(self) -> Iterator[Any]:
        self.epoch += 1
        yield from self.batches(self.epoch)


class FrameModel(pl.LightningModule):
    """Pixels [B, 3, S, S] through `backbone` and `head`, or features [B, D] through `head` alone; logits [B, C].

    backbone: a module that returns (embeddings [B, D], scores [B, K]).
    features: what the head sits on: `embeddings`, `scores` or `embeddings+scores`, side by side in that order.
    """

    def __init__(self, head: nn.Module, losses: BlockLosses, optimisation: Optimisation,
                 backbone: nn.Module | None = None, features: str = "embeddings",
                 selection: Selection | None = None) -> None:
        super().__init__()
        if features not in FEATURES:
            raise unknown("features", features, FEATURES)
        self.features = features
        self.backbone, self.head, self.losses = backbone, head, losses
        self.optimisation, self.selection = optimisation, selection
        self.fitted = Fitted({}, 0, [], False)
        self.best, self.seen, self.logits = -math.inf, 0, []

    def forward(self, inputs: Tensor) -> Tensor:
        if self.backbone is not None:
            parts = dict(zip(FEATURES, self.backbone(inputs)))
            inputs = torch.cat([parts[name] for name in self.features.split("+")], dim=1)
        return self.head(inputs)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        how = self.optimisation
        matrices = [p for p in self.parameters() if p.requires_grad and p.ndim > 1]
        others = [p for p in self.parameters() if p.requires_grad and p.ndim <= 1]
        groups = [{"params": matrices, "weight_decay": how.weight_decay}, {"params": others, "weight_decay": 0.0}]
        return torch.optim.AdamW([g for g in groups if g["params"]], how.learning_rate, fused=True)

    def on_train_epoch_start(self) -> None:
        self.total, self.rows = torch.zeros((), device=self.device), 0

    def on_train_batch_start(self, batch: Batch, _: int) -> None:
        rate = self.optimisation.rate(self.seen)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = rate

    def training_step(self, batch: Batch, _: int) -> Tensor:
        inputs, targets = batch
        loss = self.losses(self(inputs), targets)
        self.total += loss.detach() * len(inputs)
        self.rows += len(inputs)
        self.seen += len(inputs)
        return loss + penalty(self.head, self.optimisation.l2)

    def on_validation_epoch_start(self) -> None:
        self.logits = []

    def validation_step(self, inputs: Tensor, _: int) -> None:
        self.logits.append(self(inputs).float().cpu())

    def on_train_epoch_end(self) -> None:
        loss, epoch = self.total.item() / max(self.rows, 1), self.current_epoch + 1
        if not math.isfinite(loss):
            raise FramelightError(f"the training loss became {loss} in epoch {epoch}; lower the learning rate")
        self.fitted.history.append({"epoch": epoch, "loss": loss})
        if self.selection is None or self._better(epoch, torch.cat(self.logits).numpy()):
            self.fitted.epoch = epoch
            self.fitted.state = {name: value.detach().cpu().clone() for name, value in self.state_dict().items()}

    def _better(self, epoch: int, logits: np.ndarray) -> bool:
        if not np.isfinite(logits).all():
            raise FramelightError(f"the outputs on the selection rows are not finite after epoch {epoch}; "
                                  "their features are not, or the learning rate is too high")
        value = self.selection.score(logits)
        self.fitted.history[-1]["value"] = value
        better = value > self.best or self.selection.keep == "last"
        self.best = max(self.best, value)
        if self.selection.on_epoch is not None and self.selection.on_epoch(epoch, value):
            self.trainer.should_stop = self.fitted.stopped = True
        return better


@contextmanager
def _quiet() -> Iterator[None]:
    """Neither Lightning's notes nor its advice reach the user; torch's global switches are put back."""
    loggers = [logging.getLogger(name) for name in ("pytorch_lightning", "lightning_fabric", "lightning.pytorch",
                                                    "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    deterministic = torch.are_deterministic_algorithms_enabled()
    fill = torch.utils.deterministic.fill_uninitialized_memory
    torch.utils.deterministic.fill_uninitialized_memory = False
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"(pytorch_lightning|lightning_fabric|torch)\b.*")
            yield
    finally:
        for logger, level in zip(loggers, levels):
            logger.setLevel(level)
        torch.use_deterministic_algorithms(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = fill


@contextmanager
def _honest_signals() -> Iterator[None]:
    """Ctrl-C stays a KeyboardInterrupt, SIGTERM ends with 143: Lightning turns them into exits with codes 1 and 0."""
    before = signal.getsignal(signal.SIGINT)
    try:
        yield
    except SIGTERMException as error:
        raise SystemExit(128 + signal.SIGTERM) from error
    except SystemExit as error:
        if not isinstance(error.__context__, KeyboardInterrupt):
            raise
        signal.signal(signal.SIGINT, before)
        raise KeyboardInterrupt from error


def fit(model: FrameModel, batches: Batches, trainer: Mapping[str, Any] | None = None) -> Fitted:
    """Train `model` on `batches(epoch, part)`, epochs counted from 0, and return the state that the selection kept.

    trainer: arguments of Lightning's Trainer that replace the defaults (CPU, one device, deterministic, silent).
    FramelightError when the loss or the outputs stop being finite.
    """
    options = {
        "accelerator": "cpu", "devices": 1, "plugins": [LightningEnvironment()], "deterministic": True,
        "max_epochs": model.optimisation.epochs, "gradient_clip_val": model.optimisation.clip or None,
        "logger": False, "enable_checkpointing": False, "enable_progress_bar": False,
        "enable_model_summary": False, "num_sanity_val_steps": 0, **(trainer or {})}
    validation = Stream(lambda _: model.selection.batches(WHOLE)) if model.selection else None
    model.train()  # Lightning keeps the mode it finds, and a loaded backbone is in eval mode
    with _quiet(), _honest_signals():
        pl.Trainer(**options).fit(model, Stream(lambda epoch: batches(epoch, WHOLE)), validation)
    return model.fitted
