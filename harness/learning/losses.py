"""Masked losses, looked up by the names that `harness.tasks.Output.loss` gives.

Each is a module called with logits [B, c], targets [B] or [B, c] and `valid` bool [B]. Rows that are not valid are
dropped before anything is computed, so they get exactly no gradient and do not move a batch statistic.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from harness import tasks
from harness.errors import unknown

Targets = Mapping[str, tuple[Tensor, Tensor]]
"""For each output block its target and the bool mask of rows where it counts."""

CCC_EPSILON = 1e-7


def nothing(logits: Tensor) -> Tensor:
    """A zero that is part of the graph, so that a batch without labels still has a gradient (of 0)."""
    return logits[:0].sum()


class CrossEntropy(nn.Module):
    """Mean over the valid rows of weight[class] * cross entropy.

    `smoothing` spreads that share of a row's target over all classes, each of which then counts by its own weight.
    """

    def __init__(self, weights: np.ndarray, smoothing: float = 0.0) -> None:
        super().__init__()
        self.smoothing = smoothing
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    @classmethod
    def of(cls, labels: np.ndarray, smoothing: float = 0.0) -> CrossEntropy:
        """Expression weights of the fit labels, scaled so that their mean over the valid rows is 1."""
        weights = tasks.expression_weights(labels)
        present = labels[labels >= 0]
        return cls(weights / weights[present].mean() if len(present) else weights, smoothing)

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        logits, target = logits[valid], target[valid]
        total = functional.cross_entropy(
            logits, target, self.weights, reduction="sum", label_smoothing=self.smoothing)
        return total / max(len(target), 1)


class OneMinusCCC(nn.Module):
    """1 - mean over the columns of the concordance of tanh(logits) with the targets, over the valid rows of the batch.

    linear: of the logits themselves. Population moments; a batch with fewer than two valid rows has no concordance
    and contributes 0.
    """

    def __init__(self, linear: bool = False) -> None:
        super().__init__()
        self.linear = linear

    @classmethod
    def of(cls, labels: np.ndarray) -> OneMinusCCC:
        return cls()

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        logits, target = logits[valid], target[valid]
        if len(target) < 2:
            return nothing(logits)
        prediction = logits if self.linear else torch.tanh(logits)
        gap = prediction.mean(0) - target.mean(0)
        prediction, target = prediction - prediction.mean(0), target - target.mean(0)
        scale = (prediction**2).mean(0) + (target**2).mean(0) + gap**2
        return 1 - (2 * (prediction * target).mean(0) / (scale + CCC_EPSILON)).mean()


class BinaryCrossEntropy(nn.Module):
    """Mean over the valid rows and the columns of weight[column, label] * binary cross entropy."""

    def __init__(self, weights: np.ndarray) -> None:
        super().__init__()
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    @classmethod
    def of(cls, labels: np.ndarray) -> BinaryCrossEntropy:
        return cls(tasks.action_unit_weights(labels))

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        logits, target = logits[valid], target[valid].to(logits.dtype)
        weights = torch.lerp(self.weights[:, 0].expand_as(target), self.weights[:, 1].expand_as(target), target)
        total = functional.binary_cross_entropy_with_logits(logits, target, weights, reduction="sum")
        return total / max(target.numel(), 1)


LOSSES = {
    "weighted_cross_entropy": CrossEntropy,
    "one_minus_ccc": OneMinusCCC,
    "weighted_binary_cross_entropy": BinaryCrossEntropy,
}


class BlockLosses(nn.Module):
    """Sum of the losses of named blocks of columns; a block whose target the batch lacks is left out."""

    def __init__(self, losses: Mapping[str, nn.Module], columns: Mapping[str, slice]) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)
        self.columns = dict(columns)

    def forward(self, logits: Tensor, targets: Targets) -> Tensor:
        return sum(loss(logits[:, self.columns[name]], *targets[name])
                   for name, loss in self.losses.items() if name in targets)


def penalty(module: nn.Module, l2: float) -> Tensor | float:
    """l2 * sum of squares of every weight matrix of `module`; biases are left alone."""
    if not l2:
        return 0.0
    return l2 * sum(p.square().sum() for p in module.parameters() if p.ndim > 1)


def of_task(task: tasks.Task, targets: Mapping[str, np.ndarray]) -> BlockLosses:
    """The losses of a task, weighted by the fit rows' targets (arrays as in `harness.data.dataset.Labels`)."""
    losses = {}
    for output in task.outputs:
        if output.loss not in LOSSES:
            raise unknown("loss", output.loss, LOSSES)
        losses[output.name] = LOSSES[output.loss].of(targets[output.name])
    return BlockLosses(losses, task.slices())
