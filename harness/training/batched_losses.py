"""The losses of several heads at once: of logits [B, C, J] one value for each of J heads, in float32 [J].

Each says of head j what `harness.training.losses` says of logits[:, :, j]; a loss that is not known here is asked for
one head after the other. Heads lie in the last dimension, where classes are reduced for all of them side by side.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

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
    """As `losses` of each head's logits."""
    return sum(
        losses.weights.get(name, 1.0) * _compute_loss(loss, logits[:, losses.columns[name]], *targets[name])
        for name, loss in losses.losses.items()
        if name in targets
    )


def _compute_loss(loss: nn.Module, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    if type(loss) in BATCHED_LOSSES:
        return BATCHED_LOSSES[type(loss)](loss, logits, target, valid)
    return torch.stack([loss(one, target, valid) for one in logits.unbind(2)])


def _drop_invalid(valid: Tensor, *rows: Tensor) -> tuple[Tensor, ...]:
    """The valid rows of each; all of them as they are where that is all."""
    if valid.all():
        return rows
    index = valid.nonzero()[:, 0]
    return tuple(one.index_select(0, index) for one in rows)


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
    """Predicted values [b, c, J] and targets [b, c, 1] of the rows that count."""
    if not zeroed:
        logits, target = _drop_invalid(valid, logits, target)
    prediction, target = logits if linear else torch.tanh(logits), target[:, :, None]
    if zeroed:
        prediction, target = prediction * valid[:, None, None], target * valid[:, None, None]
    return prediction, target


def _binary_cross_entropy(loss: BinaryCrossEntropy, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
    every = target.numel()
    logits, target = _drop_invalid(valid, logits, target)
    count, target = every if loss.zeroed else target.numel(), target.to(logits.dtype)
    weights = torch.lerp(loss.weights[:, 0].expand_as(target), loss.weights[:, 1].expand_as(target), target)
    each = functional.binary_cross_entropy_with_logits(
        logits, target[:, :, None].expand_as(logits), weights[:, :, None], reduction="none"
    )
    return each.sum((0, 1)) / max(count, 1)


BATCHED_LOSSES: Mapping[type[nn.Module], Callable[..., Tensor]] = {
    CrossEntropy: _cross_entropy,
    OneMinusCCC: _one_minus_ccc,
    SquaredError: _squared_error,
    BinaryCrossEntropy: _binary_cross_entropy,
}
