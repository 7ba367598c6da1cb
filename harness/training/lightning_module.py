"""The Lightning module of a fit and its Trainer; the only module that imports pytorch_lightning."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

import pytorch_lightning as pl
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from pytorch_lightning.plugins import MixedPrecision
from pytorch_lightning.plugins.environments import LightningEnvironment
from pytorch_lightning.strategies.launchers import _MultiProcessingLauncher
from pytorch_lightning.utilities.exceptions import MisconfigurationException, SIGTERMException
from torch import Tensor, nn

from harness.training import checkpoints, distributed, ema, fast_loop, rank
from harness.training.fit import Batch, FitResult, InputTransform, OptimizerConfig, Selection, Shard, prepare_inputs
from harness.training.frame_network import FrameNetwork
from harness.training.losses import BlockLosses, l2_penalty
from harness.training.sam import SAM
from harness.utils.errors import FramelightError, InputError
from harness.utils.files import atomic_write


class FrameModel(FrameNetwork, pl.LightningModule):
    """Lightning module that trains a head, with or without a backbone.

    Parameters
    ----------
    head : nn.Module
    losses : BlockLosses
        Losses of the output blocks; always computed in float32.
    optimizer_config : OptimizerConfig
    backbone : nn.Module, optional
        See `FrameNetwork`. The result of its `about()`, if it has that method, is stored in checkpoints.
    features : {"embeddings", "scores", "embeddings+scores"}
        See `FrameNetwork`.
    selection : Selection, optional
        Rows that select the epoch whose weights are returned. Without them it is the last epoch.
    inputs : InputTransform, optional
        Converts batches to network inputs on the model's device. None if batches hold network inputs already.
    frozen : bool
        Train only the head and the classifier of the backbone. The running statistics of the backbone's batch norm stay
        the same.
    """

    def __init__(  # noqa: PLR0913 - the parts of the module
        self,
        head: nn.Module,
        losses: BlockLosses,
        optimizer_config: OptimizerConfig,
        backbone: nn.Module | None = None,
        features: str = "embeddings",
        selection: Selection | None = None,
        inputs: InputTransform | None = None,
        frozen: bool = False,
    ) -> None:
        super().__init__(head, backbone, features, frozen)
        self.losses = losses
        self.optimizer_config, self.selection, self.inputs = optimizer_config, selection, inputs
        self.sam = SAM(self, optimizer_config.sharpness) if optimizer_config.sharpness else None
        self.average: ema.ExponentialMovingAverage | None = None
        self.checkpoint: Path | None = None
        self.resumed: Mapping[str, Any] = {}
        self.fitted = FitResult({}, 0, [], False)
        self.best, self.seen, self.rate = -math.inf, 0, 0.0
        self.logits: list[Tensor] = []

    @property
    def shard(self) -> Shard:
        """The share of rows that this process handles."""
        return Shard(self.trainer.global_rank, self.trainer.world_size)

    @property
    def epoch(self) -> int:
        """The current epoch, counted from 0.

        Lightning's own counter is one too small when the first batch of a resumed fit is loaded.
        """
        return len(self.fitted.history)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Create AdamW for the trainable parameters."""
        # MixedPrecision cannot clip the gradients of a fused optimizer
        fused = not isinstance(self.trainer.precision_plugin, MixedPrecision)
        config = self.optimizer_config
        return torch.optim.AdamW(config.parameter_groups(self), config.learning_rate, fused=fused)

    def on_fit_start(self) -> None:
        """Keep the losses in float32 at any precision of the network."""
        self.losses.float()

    def on_train_start(self) -> None:
        """Create the averaged weights, or restore them in a resumed fit."""
        if self.optimizer_config.average:
            self.average = ema.ExponentialMovingAverage(self, self.optimizer_config.average)
            if self.resumed:
                self.average.load_state_dict(self.resumed["average"])
        self.resumed = {}

    def on_train_epoch_start(self) -> None:
        """Reset the epoch's loss and seed the random state for this epoch and process."""
        self.total, self.rows = torch.zeros((), device=self.device), 0
        torch.manual_seed(self.optimizer_config.derive_seed(self.epoch, self.shard.index))

    def on_train_batch_start(self, batch: Batch, index: int) -> None:
        """Set the learning rate; accumulated batches share the rate of the first one."""
        if index % self.trainer.accumulate_grad_batches == 0:
            self.rate = self.optimizer_config.rate(self.seen)
        for group in self.trainer.optimizers[0].param_groups:
            group["lr"] = self.rate

    def training_step(self, batch: Batch | Iterable[Batch], index: int) -> Tensor | None:
        """Compute the loss of a batch.

        With manual optimization, `batch` is an iterable of all batches of an epoch. The optimizer steps are made here,
        and None is returned.
        """
        if not self.automatic_optimization:
            optimizer = self.optimizers(use_pl_optimizer=False)
            assert isinstance(optimizer, torch.optim.Optimizer)
            fast_loop.fast_loop(self, cast("Iterable[Batch]", batch), optimizer, self._raise_if_terminated)
            return None
        inputs, targets = cast("Batch", batch)
        inputs, losses = self._prepare_inputs(inputs, index), []

        def objective() -> Tensor:
            losses.append(self.losses(self(inputs).float(), targets))
            return losses[-1] + l2_penalty(self.head, self.optimizer_config.l2)

        if self.sam is None:
            total = objective()
        else:
            scaler = getattr(self.trainer.precision_plugin, "scaler", None)
            total = self.sam.loss(objective, scaler.scale if scaler else lambda loss: loss)
        self.total += losses[0].detach() * len(inputs)
        self.rows += len(inputs)
        self.seen += len(inputs) * self.shard.of
        return total

    def _raise_if_terminated(self) -> None:
        if self.trainer.received_sigterm:
            raise SIGTERMException

    def _prepare_inputs(self, inputs: Tensor, batch: int | None = None) -> Tensor:
        """Convert the inputs of a batch to network inputs; augment them if `batch`, the batch's index, is given."""
        if self.inputs is None:
            return inputs
        seed = None if batch is None else self.optimizer_config.derive_seed(self.epoch, self.shard.index, batch)
        return self.trainer.precision_plugin.convert_input(prepare_inputs(self.inputs, inputs, seed))

    def on_after_backward(self) -> None:
        """Undo SAM's perturbation of the weights."""
        if self.sam is not None:
            self.sam.restore()

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Update the weights, then their average."""
        super().optimizer_step(*args, **kwargs)
        if self.average is not None:
            self.average.update(self)

    def on_validation_epoch_start(self) -> None:
        """Synchronize buffers and switch to the averaged weights."""
        self.logits = []
        self._broadcast_buffers()
        if self.average is not None:
            self.average.apply(self)

    def validation_step(self, inputs: Tensor, _: int) -> None:
        """Compute the logits of a batch of selection rows."""
        self.logits.append(self(self._prepare_inputs(inputs)).float().cpu())

    def on_validation_epoch_end(self) -> None:
        """Switch back from the averaged weights."""
        if self.average is not None:
            self.average.restore(self)

    def on_train_epoch_end(self) -> None:
        """Extend the history and write the checkpoint.

        The weights are stored if this epoch is the best so far, or if those of the last epoch are to be returned.
        """
        loss, epoch = distributed.mean_loss(self.total, self.rows, self.shard.of), self.epoch + 1
        if not math.isfinite(loss):
            raise FramelightError(f"the training loss became {loss} in epoch {epoch}; lower the learning rate")
        self.fitted.history.append({"epoch": epoch, "loss": loss, "rate": self.rate})
        self._broadcast_buffers()
        if self.selection is None or self._update_best(self.selection, epoch):
            self.fitted.epoch = epoch
            self.fitted.state = ema.copy_averaged_state(self, self.average)
        if self.checkpoint is not None:
            self._save_checkpoint(self.checkpoint)

    def _update_best(self, selection: Selection, epoch: int) -> bool:
        """Evaluate the selection rows and report the epoch; return whether its weights are to be stored."""
        logits = distributed.gather_in_order(torch.cat(self.logits), self.shard.of, self.device)
        if not logits.isfinite().all():
            raise FramelightError(
                f"the outputs on the selection rows are not finite after epoch {epoch}; "
                "check that their inputs are finite, or lower the learning rate"
            )
        criterion = selection.evaluate(logits.numpy(), self.fitted.history[-1])
        better = criterion > self.best or selection.keep == "last"
        self.best = max(self.best, criterion)
        on_epoch = selection.on_epoch if self.trainer.is_global_zero else None
        if self.trainer.strategy.broadcast(bool(on_epoch and on_epoch(epoch, self.fitted.history[-1]["value"]))):
            self.trainer.should_stop = self.fitted.stopped = True
        return better

    def _broadcast_buffers(self) -> None:
        distributed.broadcast_buffers(self, self.average.values if self.average is not None else {}, self.shard.of)

    def _save_checkpoint(self, path: Path) -> None:
        if not self.trainer.is_global_zero:
            self.trainer.save_checkpoint(path)  # every process takes part, only rank zero writes
            return
        with atomic_write(path) as tmp_path:
            self.trainer.save_checkpoint(tmp_path)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the history, the best weights and the averages to Lightning's checkpoint."""
        checkpoint[checkpoints.CHECKPOINT_KEY] = checkpoints.make_entry(
            self.optimizer_config,
            self.fitted,
            best=self.best,
            seen=self.seen,
            backbone=getattr(self.backbone, "about", dict)(),
            average=self.average.state_dict() if self.average is not None else {},
        )

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Restore what `on_save_checkpoint` added."""
        self.resumed = checkpoint[checkpoints.CHECKPOINT_KEY]
        self.fitted = FitResult(**self.resumed["fitted"])
        self.best, self.seen = self.resumed["best"], self.resumed["seen"]


def make_trainer(options: Mapping[str, Any]) -> pl.Trainer:
    """Create Lightning's Trainer; raise InputError if this machine lacks the accelerator, devices or precision."""
    if rank.is_single_process(options) and "plugins" not in options:
        options = {**options, "plugins": [LightningEnvironment()]}
    try:
        trainer = pl.Trainer(**options)
    except MisconfigurationException as error:
        raise InputError(
            f"this machine cannot train on accelerator {options['accelerator']}, devices {options['devices']}: {error}"
        ) from error
    if options.get("precision") == "16-mixed" and isinstance(trainer.accelerator, CPUAccelerator):
        raise InputError("precision 16-mixed needs a GPU; on the CPU choose bf16-mixed or 32-true")
    return trainer


def spawns_processes(trainer: pl.Trainer) -> bool:
    """Whether the Trainer spawns processes; this process can read their result only from the checkpoint."""
    return isinstance(trainer.strategy.launcher, _MultiProcessingLauncher)
