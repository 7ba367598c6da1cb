"""The steps of a small network, one straight after another.

Lightning looks after each step it makes: a third of a millisecond, which is as much as a step of a linear head takes.
So it is handed an epoch's batches as one, and the steps are made here.
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
    """What of `harness.training.lightning_module.FrameModel` is used here.

    rate: the present learning rate; seen: rows in all epochs; total, rows: the loss of this epoch's rows.
    """

    backbone: nn.Module | None
    head: nn.Module
    inputs: InputTransform | None
    losses: BlockLosses
    optimisation: OptimizerConfig
    device: torch.device
    rate: float
    seen: int
    total: Tensor
    rows: int

    def __call__(self, inputs: Tensor) -> Tensor: ...


def can_use_fast_loop(model: FastLoopModel, options: Mapping[str, Any]) -> bool:
    """Whether nothing but the head's own steps is asked for: by one process, in float32, after every batch.

    options: arguments of Lightning's Trainer.
    """
    how = model.optimisation
    return (
        model.backbone is None
        and model.inputs is None
        and not (how.clip or how.sharpness or how.average)
        and rank.is_single_process(options)
        and options.get("precision", "32-true") == "32-true"
        and options.get("accumulate_grad_batches", 1) == 1
    )


def fast_loop(
    model: FastLoopModel, batches: Iterable[Batch], optimiser: torch.optim.Optimizer, go_on: Callable[[], None]
) -> None:
    """One step for each batch, whose inputs may be in any precision; the model's totals are kept.

    go_on: called before each step, raises where training is to end.
    """
    how, device = model.optimisation, model.device
    for inputs, targets in batches:
        go_on()
        model.rate = how.rate(model.seen)
        for group in optimiser.param_groups:
            group["lr"] = model.rate
        inputs = inputs.to(device).float()
        loss = model.losses(
            model(inputs), {name: (target.to(device), valid.to(device)) for name, (target, valid) in targets.items()}
        )
        optimiser.zero_grad()
        (loss + l2_penalty(model.head, how.l2)).backward()
        optimiser.step()
        model.total += loss.detach() * len(inputs)
        model.rows += len(inputs)
        model.seen += len(inputs)
