"""Losses of J heads at once: logits [B, C, J] to float32 [J].

Up to rounding, entry j equals the loss that `harness.training.losses` computes for logits[:, :, j]. A loss without a
batched version is computed for one head after another. Heads are in the last dimension, so that classes are reduced for
all heads in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.training.losses import (
    CCC_EPSILON,
    BinaryCrossEntropy,
    BlockLosses,
    CrossEntropy,
    OneMinusCCC,
    SquaredError,
    Targets,
)


def compute_batched_losses(losses: BlockLosses, logits: Tensor, targets: Targets) -> Tensor:
    """Compute the loss of each head.

    Parameters
    ----------
    losses : BlockLosses
    logits : Tensor of shape (B, C, J)
    targets : Targets

    Returns
    -------
    Tensor of shape (J,)
    """
    total = sum(
        losses.weights.get(name, 1.0) * _compute_loss(loss, logits[:, losses.columns[name]], *targets[name])
        for name, loss in losses.losses.items()
        if name in targets
    )
    return cast("Tensor", total)


def _compute_loss(loss: nn.Module, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    if type(loss) in BATCHED_LOSSES:
        return BATCHED_LOSSES[type(loss)](loss, logits, target, valid)
    return torch.stack([loss(head_logits, target, valid) for head_logits in logits.unbind(2)])


def _drop_invalid(valid: Tensor, *rows: Tensor) -> tuple[Tensor, ...]:
    """Return the valid rows of each tensor; if all rows are valid, return the tensors themselves."""
    if valid.all():
        return rows
    index = valid.nonzero()[:, 0]
    return tuple(tensor.index_select(0, index) for tensor in rows)


def _cross_entropy(loss: CrossEntropy, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    rows, classes, heads = logits.shape
    logits, target = _drop_invalid(valid, logits, target)
    total = functional.cross_entropy(
        logits, target[:, None].expand(-1, heads), loss.weights, reduction="none", label_smoothing=loss.smoothing
    ).sum(0)
    if not loss.zeroed:
        return total / max(len(target), 1)
    return (total + (rows - len(target)) * loss.weights[0] * math.log(classes)) / max(rows, 1)


def _one_minus_ccc(loss: OneMinusCCC, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    prediction, target = _predictions_and_targets(logits, target, valid, loss.linear, loss.zeroed)
    if len(target) < 2:
        return logits[:0].sum((0, 1))
    gap = prediction.mean(0) - target.mean(0)
    prediction, target = prediction - prediction.mean(0), target - target.mean(0)
    scale = prediction.square().mean(0) + target.square().mean(0) + gap.square()
    return 1 - (2 * (prediction * target).mean(0) / (scale + CCC_EPSILON)).mean(0)


def _squared_error(loss: SquaredError, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    prediction, target = _predictions_and_targets(logits, target, valid, False, loss.zeroed)
    return (prediction - target).square().sum((0, 1)) / max(len(target) * logits.shape[1], 1)


def _predictions_and_targets(
    logits: Tensor, target: Tensor, valid: Tensor, linear: bool, zeroed: bool
) -> tuple[Tensor, Tensor]:
    """Return predictions [b, c, J] and targets [b, c, 1] of the rows that enter the loss."""
    if not zeroed:
        logits, target = _drop_invalid(valid, logits, target)
    prediction, target = logits if linear else torch.tanh(logits), target[:, :, None]
    if zeroed:
        prediction, target = prediction * valid[:, None, None], target * valid[:, None, None]
    return prediction, target


def _binary_cross_entropy(loss: BinaryCrossEntropy, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    total = target.numel()
    logits, target = _drop_invalid(valid, logits, target)
    count, target = total if loss.zeroed else target.numel(), target.to(logits.dtype)
    weights = torch.lerp(loss.weights[:, 0].expand_as(target), loss.weights[:, 1].expand_as(target), target)
    losses = functional.binary_cross_entropy_with_logits(
        logits, target[:, :, None].expand_as(logits), weights[:, :, None], reduction="none"
    )
    return losses.sum((0, 1)) / max(count, 1)


BATCHED_LOSSES: Mapping[type[nn.Module], Callable[..., Tensor]] = {
    CrossEntropy: _cross_entropy,
    OneMinusCCC: _one_minus_ccc,
    SquaredError: _squared_error,
    BinaryCrossEntropy: _binary_cross_entropy,
}
"""Batched version of each loss, by the class of the loss in `harness.training.losses`."""
