"""The one door to pytorch_lightning: a backbone (or none), a head and their losses, fitted by its Trainer."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException
from torch import Tensor, nn

from harness.training import checkpoints, distributed, ema, fast_loop, rank, trainer_options
from harness.training.fit import (
    Batch,
    Batches,
    FitResult,
    InputTransform,
    LazyBatches,
    OptimizerConfig,
    Selection,
    Shard,
    prepare_inputs,
)
from harness.training.losses import BlockLosses, l2_penalty
from harness.training.sam import SAM
from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.files import atomic_write

FEATURES = ("embeddings", "scores", "embeddings+scores")


class FrameModel(pl.LightningModule):
    """Pixels [B, 3, S, S] through `backbone` and `head`, or features [B, D] through `head` alone; logits [B, C].

    backbone: a module that returns (embeddings [B, D], scores [B, K]); what its `about()` says is in the checkpoints.
    features: what the head sits on: `embeddings`, `scores` or `embeddings+scores`, side by side in that order.
    inputs: makes pixels of what the batches hold, on the model's device; None where they hold pixels.
    frozen: of the backbone only its own classifier learns, and its batch statistics stay as they are.
    """

    def __init__(  # noqa: PLR0913 - the parts of the module
        self,
        head: nn.Module,
        losses: BlockLosses,
        optimisation: OptimizerConfig,
        backbone: nn.Module | None = None,
        features: str = "embeddings",
        selection: Selection | None = None,
        inputs: InputTransform | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__()
        if features not in FEATURES:
            raise unknown_name_error("features", features, FEATURES)
        self.features = features
        self.backbone, self.head, self.losses = backbone, head, losses
        self.optimisation, self.selection, self.inputs, self.frozen = optimisation, selection, inputs, frozen
        self.sharpness = SAM(self, optimisation.sharpness) if optimisation.sharpness else None
        self.average: ema.ExponentialMovingAverage | None = None
        self.checkpoint: Path | None = None
        self.resumed: Mapping[str, Any] = {}
        self.fitted = FitResult({}, 0, [], False)
        self.best, self.seen, self.rate, self.logits = -math.inf, 0, 0.0, []

    @property
    def shard(self) -> Shard:
        return Shard(self.trainer.global_rank, self.trainer.world_size)

    @property
    def epoch(self) -> int:
        """The present epoch, from 0; Lightning's own count is one behind when it draws the first batch of a resumed
        fit.
        """
        return len(self.fitted.history)

    def forward(self, inputs: Tensor) -> Tensor:
        if self.backbone is not None:
            parts = dict(zip(FEATURES, self.backbone(inputs)))
            inputs = torch.cat([parts[name] for name in self.features.split("+")], dim=1)
        return self.head(inputs)

    def train(self, mode: bool = True) -> FrameModel:
        super().train(mode)
        if mode and self.frozen:
            self.backbone.eval()
        return self

    def configure_optimizers(self) -> torch.optim.Optimizer:
        fused = not isinstance(self.trainer.precision_plugin, MixedPrecision)  # which then could not clip
        return torch.optim.AdamW(self.optimisation.parameter_groups(self), self.optimisation.learning_rate, fused=fused)

    def on_fit_start(self) -> None:
        self.losses.float()  # they are computed in float32 whatever the network computes in

    def on_train_start(self) -> None:
        if self.optimisation.average:
            self.average = ema.ExponentialMovingAverage(self, self.optimisation.average)
            if self.resumed:
                self.average.load_state_dict(self.resumed["average"])
        self.resumed = {}

    def on_train_epoch_start(self) -> None:
        self.total, self.rows = torch.zeros((), device=self.device), 0
        torch.manual_seed(self.optimisation.derive_seed(self.epoch, self.shard.index))

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        if index % self.trainer.accumulate_grad_batches == 0:  # the rate of a step is that of its first batch
            self.rate = self.optimisation.rate(self.seen)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.rate

    def training_step(self, batch: Batch | Iterable[Batch], index: int) -> Tensor | None:
        """With automatic optimisation, the loss of a batch; otherwise all steps of an epoch's batches."""
        if not self.automatic_optimization:
            fast_loop.fast_loop(self, batch, self.optimizers(use_pl_optimizer=False), self._raise_if_terminated)
            return None
        inputs, targets = batch
        inputs, losses = self._prepare_inputs(inputs, index), []

        def objective() -> Tensor:
            losses.append(self.losses(self(inputs).float(), targets))
            return losses[-1] + l2_penalty(self.head, self.optimisation.l2)

        if self.sharpness is None:
            total = objective()
        else:
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            total = self.sharpness.loss(objective, scaler.scale if scaler else lambda loss: loss)
        self.total += losses[0].detach() * len(inputs)
        self.rows += len(inputs)
        self.seen += len(inputs) * self.shard.of
        return total

    def _raise_if_terminated(self) -> None:
        if self.trainer.received_sigterm:
            raise SIGTERMException

    def _prepare_inputs(self, inputs: Tensor, batch: int | None = None) -> Tensor:
        """The network's input; changed at random where `batch`, its number in the epoch, is given."""
        if self.inputs is None:
            return inputs
        seed = None if batch is None else self.optimisation.derive_seed(self.epoch, self.shard.index, batch)
        return self.trainer.precision_plugin.convert_input(prepare_inputs(self.inputs, inputs, seed))

    def on_after_backward(self) -> None:
        if self.sharpness is not None:
            self.sharpness.restore()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            self.average.update(self)

    def on_validation_epoch_start(self) -> None:
        self.logits = []
        self._broadcast_buffers()
        if self.average is not None:
            self.average.apply(self)

    def validation_step(self, inputs: Tensor, _: int) -> None:
        self.logits.append(self(self._prepare_inputs(inputs)).float().cpu())

    def on_validation_epoch_end(self) -> None:
        if self.average is not None:
            self.average.restore(self)

    def on_train_epoch_end(self) -> None:
        loss, epoch = distributed.mean_loss(self.total, self.rows, self.shard.of), self.epoch + 1
        if not math.isfinite(loss):
            raise FramelightError(f"the training loss became {loss} in epoch {epoch}; lower the learning rate")
        self.fitted.history.append({"epoch": epoch, "loss": loss, "rate": self.rate})
        self._broadcast_buffers()
        if self.selection is None or self._update_best(epoch):
            self.fitted.epoch = epoch
            self.fitted.state = ema.copy_averaged_state(self, self.average)
        if self.checkpoint is not None:
            self._save_checkpoint(self.checkpoint)

    def _update_best(self, epoch: int) -> bool:
        logits = distributed.gather_in_order(torch.cat(self.logits), self.shard.of, self.device)
        if not logits.isfinite().all():
            raise FramelightError(
                f"the outputs on the selection rows are not finite after epoch {epoch}; "
                "their features are not, or the learning rate is too high"
            )
        criterion = self.selection.evaluate(logits.numpy(), self.fitted.history[-1])
        better = criterion > self.best or self.selection.keep == "last"
        self.best = max(self.best, criterion)
        tell = self.selection.on_epoch if self.trainer.is_global_zero else None
        if self.trainer.strategy.broadcast(bool(tell and tell(epoch, self.fitted.history[-1]["value"]))):
            self.trainer.should_stop = self.fitted.stopped = True
        return better

    def _broadcast_buffers(self) -> None:
        """Batch norm's running statistics are of each process's own rows: the first one's count."""
        buffers = dict(self.named_buffers())
        averages = self.average.values if self.average is not None else {}
        distributed.broadcast_from_rank_zero(
            [*buffers.values(), *(averages[name] for name in averages if name in buffers)], self.shard.of
        )

    def _save_checkpoint(self, path: Path) -> None:
        if not self.trainer.is_global_zero:
            self.trainer.save_checkpoint(path)  # all take part, the first one writes
            return
        with atomic_write(path) as aside:
            self.trainer.save_checkpoint(aside)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        about = getattr(self.backbone, "about", dict)
        checkpoint[checkpoints.CHECKPOINT_KEY] = checkpoints.make_entry(
            self.optimisation,
            self.fitted,
            best=self.best,
            seen=self.seen,
            backbone=about(),
            average=self.average.state_dict() if self.average is not None else {},
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.resumed = checkpoint[checkpoints.CHECKPOINT_KEY]
        self.fitted = FitResult(**self.resumed["fitted"])
        self.best, self.seen = self.resumed["best"], self.resumed["seen"]


def fit(
    model: FrameModel, batches: Batches, trainer: Mapping[str, Any] | None = None, checkpoint: Path | None = None
) -> FitResult:
    """Train `model` on `batches(epoch, part)`, epochs counted from 0, and return the state that the selection kept.

    trainer: arguments of Lightning's Trainer that replace the defaults (CPU, one device, deterministic, silent).
    checkpoint: written after each epoch, and gone on from where it is there; the same bits come out as without a
    break.
    FramelightError when the loss or the outputs stop being finite, or the checkpoint is damaged or of another fit;
    InputError when this machine has no such accelerator, devices or precision.
    """
    options = trainer_options.make_trainer_options(model.optimisation, trainer or {})
    if rank.is_single_process(options) and "plugins" not in options:
        options["plugins"] = [LightningEnvironment()]
    with (
        trainer_options.suppress_lightning_output(),
        trainer_options.propagate_signals(SIGTERMException),
        trainer_options.train_mode(model, model.backbone if model.frozen else None),
        tempfile.TemporaryDirectory() as scratch,
    ):
        lightning = _make_trainer(options)
        apart = isinstance(lightning.strategy.launcher, _MultiProcessingLauncher)
        path = Path(checkpoint) if checkpoint else Path(scratch) / "last.ckpt" if apart else None
        before = path if path and path.exists() else None
        if before and checkpoints.is_finished(
            fitted := checkpoints.load_fit_result(before, model.optimisation, model.state_dict()), model.optimisation
        ):
            return fitted
        model.checkpoint = path
        model.automatic_optimization = not fast_loop.can_use_fast_loop(model, options)
        lightning.fit(
            model,
            LazyBatches(partial(_epoch_batches, model, batches)),
            LazyBatches(partial(_selection_batches, model)) if model.selection else None,
            ckpt_path=before,
            weights_only=True,
        )
        # Processes that Lightning spawned have left what they fitted in the checkpoint alone.
        return checkpoints.load_fit_result(path, model.optimisation, model.state_dict()) if apart else model.fitted


def _make_trainer(options: Mapping[str, Any]) -> pl.Trainer:
    """Lightning's Trainer; InputError for what this machine lacks, and where half precision would be another."""
    try:
        trainer = pl.Trainer(**options)
    except MisconfigurationException as error:
        raise InputError(
            f"this machine cannot train on accelerator {options['accelerator']}, devices {options['devices']}: {error}"
        ) from error
    if options.get("precision") == "16-mixed" and isinstance(trainer.accelerator, CPUAccelerator):
        raise InputError("precision 16-mixed needs a GPU; on the CPU choose bf16-mixed or 32-true")
    return trainer


def _epoch_batches(model: FrameModel, batches: Batches) -> Iterable[Batch] | list[Iterable[Batch]]:
    """The batches of the present epoch, one by one or all as one."""
    drawn = batches(model.epoch, model.shard)
    return drawn if model.automatic_optimization else [drawn]


def _selection_batches(model: FrameModel) -> Iterable[Tensor]:
    return model.selection.batches(model.shard)
