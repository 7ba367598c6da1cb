"""Masked losses by name; see `harness.metrics.tasks.Output.loss`.

Each loss is a module for one output block with c columns. It is called with logits [B, c], targets [B] or [B, c] and a
bool mask `valid` [B]. Invalid rows are dropped before anything is computed, so that their gradient is exactly 0 and
they do not affect batch statistics. With `zeroed`, invalid rows remain, with output and target 0, as in the published
multi-task training (Savchenko 2022). Their gradient is still 0, but they count in every mean.
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
"""For each output block: the targets, and a bool mask of the valid rows."""

CCC_EPSILON = 1e-7


@dataclass(frozen=True)
class LossConfig:
    """Loss settings of a head; see `harness.training.heads.config.HeadConfig` for the fields."""

    class_weights: str = "inverse"
    label_smoothing: float = 0.0
    va_loss: str = "ccc"
    task_weights: str = "equal"
    invalid: str = "dropped"


DEFAULT_LOSS_CONFIG = LossConfig()


def zero_loss(logits: Tensor) -> Tensor:
    """Return a 0 that depends on the logits, so that `backward` works for a batch without labels (with gradient 0)."""
    return logits[:0].sum()


def select_valid(valid: Tensor, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Select the valid rows as contiguous tensors; most batches have valid rows only and need no indexing."""
    return (logits.contiguous(), target) if valid.all() else (logits[valid], target[valid])


class CrossEntropy(nn.Module):
    """Mean of weight[class] * cross entropy over the valid rows.

    Parameters
    ----------
    weights : ndarray of shape (classes,)
    smoothing : float
        Share of a row's target that is spread over all classes. The loss of each class is multiplied by its weight.
    zeroed : bool
        Count an invalid row as a row of the first class with equal predicted probabilities of all classes.
    """

    weights: Tensor

    def __init__(self, weights: np.ndarray, smoothing: float = 0.0, zeroed: bool = False) -> None:
        super().__init__()
        self.smoothing, self.zeroed = smoothing, zeroed
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    @classmethod
    def from_labels(cls, labels: np.ndarray, config: LossConfig = DEFAULT_LOSS_CONFIG) -> CrossEntropy:
        """Create a loss that weights expressions by their frequency in the training labels.

        With `class_weights="inverse"` the weights have a mean of 1 over the valid rows.
        """
        weights, present = tasks.expression_weights(labels), labels[labels >= 0]
        if config.class_weights == "none":
            weights = np.ones_like(weights)
        elif config.class_weights == "inverse" and len(present):
            weights = weights / weights[present].mean()
        return cls(weights, config.label_smoothing, config.invalid == "zeroed")

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of a batch; see `harness.training.losses` for the arguments."""
        rows = len(target)
        logits, target = select_valid(valid, logits, target)
        total = functional.cross_entropy(logits, target, self.weights, reduction="sum", label_smoothing=self.smoothing)
        if not self.zeroed:
            return total / max(len(target), 1)
        return (total + (rows - len(target)) * self.weights[0] * math.log(logits.shape[1])) / max(rows, 1)


class OneMinusCCC(nn.Module):
    """1 - CCC (concordance) of tanh(logits) and targets over the valid rows of a batch, averaged over the columns.

    Variances and covariances are means over the n rows (not divided by n - 1). The loss is 0 for a batch with fewer
    than two valid rows.

    Parameters
    ----------
    linear : bool
        Use the logits instead of their tanh.
    zeroed : bool
        Keep invalid rows, with prediction and target 0.
    """

    def __init__(self, linear: bool = False, zeroed: bool = False) -> None:
        super().__init__()
        self.linear, self.zeroed = linear, zeroed

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of a batch; see `harness.training.losses` for the arguments."""
        prediction, target, _ = _predictions_and_targets(logits, target, valid, self.linear, self.zeroed)
        if len(target) < 2:
            return zero_loss(logits)
        gap = prediction.mean(0) - target.mean(0)
        prediction, target = prediction - prediction.mean(0), target - target.mean(0)
        scale = (prediction**2).mean(0) + (target**2).mean(0) + gap**2
        return 1 - (2 * (prediction * target).mean(0) / (scale + CCC_EPSILON)).mean()


class SquaredError(nn.Module):
    """Mean of (tanh(logits) - target)^2 over the valid rows and the columns.

    Parameters
    ----------
    zeroed : bool
        Keep invalid rows, with prediction and target 0.
    """

    def __init__(self, zeroed: bool = False) -> None:
        super().__init__()
        self.zeroed = zeroed

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of a batch; see `harness.training.losses` for the arguments."""
        prediction, target, count = _predictions_and_targets(logits, target, valid, False, self.zeroed)
        return (prediction - target).square().sum() / max(count * logits.shape[1], 1)


def _predictions_and_targets(
    logits: Tensor, target: Tensor, valid: Tensor, linear: bool, zeroed: bool
) -> tuple[Tensor, Tensor, int]:
    """Return predictions and targets of the rows that count, and their number."""
    if not zeroed:
        logits, target = select_valid(valid, logits, target)
    prediction = logits if linear else torch.tanh(logits)
    if zeroed:
        prediction, target = prediction * valid[:, None], target * valid[:, None]
    return prediction, target, len(target)


def make_affect_loss(labels: np.ndarray, config: LossConfig) -> nn.Module:
    """Create the loss of valence and arousal; `labels` is not used."""
    return (SquaredError if config.va_loss == "mse" else OneMinusCCC)(zeroed=config.invalid == "zeroed")


class BinaryCrossEntropy(nn.Module):
    """Mean of weight[column, label] * binary cross entropy over the valid rows and the columns.

    Parameters
    ----------
    weights : ndarray of shape (columns, 2)
        Weights of label 0 and label 1.
    zeroed : bool
        Count invalid rows with a loss of 0.
    """

    weights: Tensor

    def __init__(self, weights: np.ndarray, zeroed: bool = False) -> None:
        super().__init__()
        self.zeroed = zeroed
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float32), persistent=False)

    @classmethod
    def from_labels(cls, labels: np.ndarray, config: LossConfig = DEFAULT_LOSS_CONFIG) -> BinaryCrossEntropy:
        """Create a loss that weights absent and present action units by their frequency in the training labels."""
        weights = tasks.action_unit_weights(labels)
        return cls(np.ones_like(weights) if config.class_weights == "none" else weights, config.invalid == "zeroed")

    def forward(self, logits: Tensor, target: Tensor, valid: Tensor) -> Tensor:
        """Compute the loss of a batch; see `harness.training.losses` for the arguments."""
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
"""For each name: the function that creates the loss from the training labels and the head's settings."""


class BlockLosses(nn.Module):
    """Weighted sum of the losses of output blocks; blocks without a target in the batch are left out.

    Parameters
    ----------
    losses : mapping of str to nn.Module
        Loss of each block.
    columns : mapping of str to slice
        Columns of each block in the logits.
    weights : mapping of str to float, optional
        Weights of the blocks; a block without an entry has weight 1.
    """

    def __init__(
        self, losses: Mapping[str, nn.Module], columns: Mapping[str, slice], weights: Mapping[str, float] | None = None
    ) -> None:
        super().__init__()
        self.losses = nn.ModuleDict(losses)
        self.columns, self.weights = dict(columns), dict(weights or {})

    def forward(self, logits: Tensor, targets: Targets) -> Tensor:
        """Compute the loss of logits [B, C]."""
        return sum(
            self.weights.get(name, 1.0) * loss(logits[:, self.columns[name]], *targets[name])
            for name, loss in self.losses.items()
            if name in targets
        )


def l2_penalty(module: nn.Module, l2: float) -> Tensor | float:
    """Compute l2 * sum of squares of all weight matrices of `module`; biases are not penalized."""
    if not l2:
        return 0.0
    return l2 * sum(p.square().sum() for p in module.parameters() if p.ndim > 1)


def make_task_losses(
    task: tasks.Task, targets: Mapping[str, np.ndarray], config: LossConfig = DEFAULT_LOSS_CONFIG
) -> BlockLosses:
    """Create the losses of a task.

    Parameters
    ----------
    task : Task
    targets : mapping of str to ndarray
        Targets of the training rows, as in `harness.data.dataset.Labels`, from which class weights are computed.
    config : LossConfig

    Raises
    ------
    InputError
        If an output names an unknown loss.
    """
    losses = {}
    for output in task.outputs:
        if output.loss not in LOSSES:
            raise unknown_name_error("loss", output.loss, LOSSES)
        losses[output.name] = LOSSES[output.loss](targets[output.name], config)
    return BlockLosses(
        losses, task.slices(), _balanced_weights(task, targets) if config.task_weights == "balanced" else None
    )


def _balanced_weights(task: tasks.Task, targets: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Compute the weight of each output (Savchenko 2022, fourth challenge).

    It is the largest number of valid rows of any output, divided by the number of valid rows of this output.
    """
    counts = {name: int(valid.sum()) for name, valid in task.valid(targets).items()}
    return {name: max(counts.values()) / max(count, 1) for name, count in counts.items()}
