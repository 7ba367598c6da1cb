"""Training steps of a small network without Lightning's overhead per step.

Lightning adds a third of a millisecond to each step, which is as long as a step of a linear head takes. Lightning
therefore receives all batches of an epoch as one batch, and the steps are computed here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from harness.training import rank
from harness.training.fit import Batch, InputTransform, OptimizerConfig
from harness.training.losses import BlockLosses, l2_penalty


class FastLoopModel(Protocol):
    """The part of `harness.training.lightning_module.FrameModel` that is used here.

    Attributes
    ----------
    rate : float
        Current learning rate.
    seen : int
        Number of rows seen so far in all epochs.
    total : Tensor
        Sum of the losses of this epoch's rows.
    rows : int
        Number of this epoch's rows so far.
    """

    backbone: nn.Module | None
    head: nn.Module
    inputs: InputTransform | None
    losses: BlockLosses
    optimizer_config: OptimizerConfig
    rate: float
    seen: int
    total: Tensor
    rows: int

    @property
    def device(self) -> torch.device:
        """Device of the weights."""

    def __call__(self, inputs: Tensor) -> Tensor:
        """Compute the logits of a batch."""


def can_use_fast_loop(model: FastLoopModel, options: Mapping[str, Any]) -> bool:
    """Whether a fit can use the fast loop.

    It can if the model has no backbone and is trained by one process, in float32, with one plain step for each batch. A
    plain step has no gradient clipping, sharpness-aware minimization or weight averaging.

    Parameters
    ----------
    model : FastLoopModel
    options : mapping
        Arguments of Lightning's Trainer.
    """
    config = model.optimizer_config
    return (
        model.backbone is None
        and model.inputs is None
        and not (config.clip or config.sharpness or config.average)
        and rank.is_single_process(options)
        and options.get("precision", "32-true") == "32-true"
        and options.get("accumulate_grad_batches", 1) == 1
    )


def fast_loop(
    model: FastLoopModel,
    batches: Iterable[Batch],
    optimizer: torch.optim.Optimizer,
    raise_if_terminated: Callable[[], None],
) -> None:
    """Make one step for each batch and update the model's totals.

    Parameters
    ----------
    model : FastLoopModel
    batches : iterable of Batch
        Inputs may be in any precision; they are converted to float32.
    optimizer : torch.optim.Optimizer
    raise_if_terminated : callable
        Called before each step; raises an exception to end the training.
    """
    config, device = model.optimizer_config, model.device
    for inputs, targets in batches:
        raise_if_terminated()
        model.rate = config.rate(model.seen)
        for group in optimizer.param_groups:
            group["lr"] = model.rate
        inputs = inputs.to(device).float()
        loss = model.losses(
            model(inputs), {name: (target.to(device), valid.to(device)) for name, (target, valid) in targets.items()}
        )
        optimizer.zero_grad()
        (loss + l2_penalty(model.head, config.l2)).backward()
        optimizer.step()
        model.total += loss.detach() * len(inputs)
        model.rows += len(inputs)
        model.seen += len(inputs)
