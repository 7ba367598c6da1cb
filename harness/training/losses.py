"""Masked losses, looked up by the names that `harness.metrics.tasks.Output.loss` gives.

Each is a module called with logits [B, c], targets [B] or [B, c] and `valid` bool [B]. Rows that are not valid are
dropped before anything is computed, so they get exactly no gradient and do not move a batch statistic; or, where a loss
is `zeroed`, they stay, output and target 0, as in the published multi-task training (Savchenko 2022): still without a
gradient, but counted in every mean and, as pairs of zeros, in the concordance.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.metrics import tasks
from harness.utils.errors import unknown_name_error

Targets = Mapping[str, tuple[Tensor, Tensor]]
"""For each output block its target and the bool mask of rows where it counts."""

CCC_EPSILON = 1e-7


@dataclass(frozen=True)
class LossConfig:
    """What a head may say of its losses; `harness.training.heads.config.HeadConfig` explains the fields."""

    class_weights: str = "inverse"
    label_smoothing: float = 0.0
    va_loss: str = "ccc"
    task_weights: str = "equal"
    invalid: str = "dropped"


DEFAULT_LOSS_CONFIG = LossConfig()


def zero_loss(logits: Tensor) -> Tensor:
    """A zero that is part of the graph, so that a batch without labels still has a gradient (of 0)."""
    return logits[:0].sum()


def select_valid(valid: Tensor, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """The rows that are valid, contiguous; where all are, as in most batches, nothing is picked."""
    return (logits.contiguous(), target) if valid.all() else (logits[valid], target[valid])


class CrossEntropy(nn.Module):
    """Mean over the valid rows of weight[class] * cross entropy.

    `smoothing` spreads that share of a row's target over all classes, each of which then counts by its own weight.
    zeroed: a row that is not valid is of the first class and all classes are equally likely there.
    """

    def __init__(self, weights: np.ndarray, smoothing: float = 0.0, zeroed: bool = False) -> None:
        super().__init__()
        self.smoothing, self.zeroed = smoothing, zeroed
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    @classmethod
    def from_labels(cls, labels: np.ndarray, how: LossConfig = DEFAULT_LOSS_CONFIG) -> CrossEntropy:
        """Expression weights of the fit labels; those of `inverse` frequency have a mean of 1 over the valid rows."""
        weights, present = tasks.expression_weights(labels), labels[labels >= 0]
        if how.class_weights == "none":
            weights = np.ones_like(weights)
        elif how.class_weights == "inverse" and len(present):
            weights = weights / weights[present].mean()
        return cls(weights, how.label_smoothing, how.invalid == "zeroed")

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        rows = len(target)
        logits, target = select_valid(valid, logits, target)
        total = functional.cross_entropy(logits, target, self.weights, reduction="sum", label_smoothing=self.smoothing)
        if not self.zeroed:
            return total / max(len(target), 1)
        return (total + (rows - len(target)) * self.weights[0] * math.log(logits.shape[1])) / max(rows, 1)


class OneMinusCCC(nn.Module):
    """1 - mean over the columns of the concordance of tanh(logits) with the targets, over the valid rows of the batch.

    linear: of the logits themselves. Population moments; a batch with fewer than two rows that count has no
    concordance and contributes 0.
    """

    def __init__(self, linear: bool = False, zeroed: bool = False) -> None:
        super().__init__()
        self.linear, self.zeroed = linear, zeroed

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        prediction, target, _ = _predictions_and_targets(logits, target, valid, self.linear, self.zeroed)
        if len(target) < 2:
            return zero_loss(logits)
        gap = prediction.mean(0) - target.mean(0)
        prediction, target = prediction - prediction.mean(0), target - target.mean(0)
        scale = (prediction**2).mean(0) + (target**2).mean(0) + gap**2
        return 1 - (2 * (prediction * target).mean(0) / (scale + CCC_EPSILON)).mean()


class SquaredError(nn.Module):
    """Mean over the valid rows and the columns of (tanh(logits) - target)^2."""

    def __init__(self, zeroed: bool = False) -> None:
        super().__init__()
        self.zeroed = zeroed

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        prediction, target, count = _predictions_and_targets(logits, target, valid, False, self.zeroed)
        return (prediction - target).square().sum() / max(count * logits.shape[1], 1)


def _predictions_and_targets(
    logits: Tensor, target: Tensor, valid: Tensor, linear: bool, zeroed: bool
) -> tuple[Tensor, Tensor, int]:
    """Predicted values and targets of the rows that count, and how many those are."""
    if not zeroed:
        logits, target = select_valid(valid, logits, target)
    prediction = logits if linear else torch.tanh(logits)
    if zeroed:
        prediction, target = prediction * valid[:, None], target * valid[:, None]
    return prediction, target, len(target)


def make_affect_loss(labels: np.ndarray, how: LossConfig) -> nn.Module:
    """The loss of valence and arousal; it needs nothing of the fit labels."""
    return (SquaredError if how.va_loss == "mse" else OneMinusCCC)(zeroed=how.invalid == "zeroed")


class BinaryCrossEntropy(nn.Module):
    """Mean over the valid rows and the columns of weight[column, label] * binary cross entropy.

    zeroed: a row that is not valid has a loss of 0.
    """

    def __init__(self, weights: np.ndarray, zeroed: bool = False) -> None:
        super().__init__()
        self.zeroed = zeroed
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    @classmethod
    def from_labels(cls, labels: np.ndarray, how: LossConfig = DEFAULT_LOSS_CONFIG) -> BinaryCrossEntropy:
        """Weights of absent and present action units of the fit labels."""
        weights = tasks.action_unit_weights(labels)
        return cls(np.ones_like(weights) if how.class_weights == "none" else weights, how.invalid == "zeroed")

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        count = target.numel() if self.zeroed else int(valid.sum()) * target.shape[1]
        logits, target = select_valid(valid, logits, target)
        target = target.to(logits.dtype)
        weights = torch.lerp(self.weights[:, 0].expand_as(target), self.weights[:, 1].expand_as(target), target)
        total = functional.binary_cross_entropy_with_logits(logits, target, weights, reduction="sum")
        return total / max(count, 1)


LossFactory = Callable[[np.ndarray, LossConfig], nn.Module]
LOSSES: dict[str, LossFactory] = {
    "weighted_cross_entropy": CrossEntropy.from_labels,
    "one_minus_ccc": make_affect_loss,
    "weighted_binary_cross_entropy": BinaryCrossEntropy.from_labels,
}
"""From the fit labels and the settings of the head."""


class BlockLosses(nn.Module):
    """Sum of the losses of named blocks of columns; a block whose target the batch lacks is left out.

    weights: of the blocks, 1 where none is given.
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], columns: Mapping[str, slice], weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)
        self.columns, self.weights = dict(columns), dict(weights or {})

    def forward(self, logits: Tensor, targets: Targets) -> Tensor:
        return sum(
            self.weights.get(name, 1.0) * loss(logits[:, self.columns[name]], *targets[name])
            for name, loss in self.losses.items()
            if name in targets
        )


def l2_penalty(module: nn.Module, l2: float) -> Tensor | float:
    """l2 * sum of squares of every weight matrix of `module`; biases are left alone."""
    if not l2:
        return 0.0
    return l2 * sum(p.square().sum() for p in module.parameters() if p.ndim > 1)


def make_task_losses(
    task: tasks.Task, targets: Mapping[str, np.ndarray], how: LossConfig = DEFAULT_LOSS_CONFIG
) -> BlockLosses:
    """The losses of a task as the head's settings say, weighted by the fit rows' targets (arrays as in
    `harness.data.dataset.Labels`).
    """
    losses = {}
    for output in task.outputs:
        if output.loss not in LOSSES:
            raise unknown_name_error("loss", output.loss, LOSSES)
        losses[output.name] = LOSSES[output.loss](targets[output.name], how)
    return BlockLosses(
        losses, task.slices(), _balanced_weights(task, targets) if how.task_weights == "balanced" else None
    )


def _balanced_weights(task: tasks.Task, targets: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Most valid rows of any output / valid rows of each (Savchenko 2022, fourth challenge)."""
    counts = {name: int(valid.sum()) for name, valid in task.valid(targets).items()}
    return {name: max(counts.values()) / max(count, 1) for name, count in counts.items()}
