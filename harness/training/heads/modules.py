"""Layers of heads, which map features [N, D] to logits [N, C]; for activations see `harness.metrics.tasks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from harness.metrics.tasks import Task
from harness.training.heads.config import HeadConfig
from harness.utils.errors import unknown_name_error


class Standardize(nn.Module):
    """Standardize each column to (x - mean) / deviation; a constant column becomes 0.

    It is the identity until `set_statistics` is called.

    Parameters
    ----------
    width : int
        Number of columns.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def set_statistics(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """Set the mean and the standard deviation of each column; both arrays have shape (D,) and are finite."""
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6 * (1e-6 + np.abs(mean)))
        self.mean.copy_(torch.as_tensor(mean))
        self.scale.copy_(torch.as_tensor(scale))

    def forward(self, features: Tensor) -> Tensor:
        """Standardize features [N, D]."""
        return (features - self.mean) * self.scale


class ParallelLinear(nn.Module):
    """One linear layer for each output block of a task, with concatenated outputs.

    Parameters
    ----------
    width : int
        Number of input columns.
    task : Task
    """

    def __init__(self, width: int, task: Task) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({output.name: nn.Linear(width, len(output.columns)) for output in task.outputs})

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, D] to logits [N, C]."""
        return torch.cat([block(features) for block in self.blocks.values()], dim=1)


def hidden_layer(width: int, hidden: int) -> list[nn.Module]:
    """Create a hidden ReLU layer."""
    return [nn.Linear(width, hidden), nn.ReLU()]


def logistic_regression(config: HeadConfig, width: int, task: Task) -> list[nn.Module]:
    """Create one linear layer."""
    return [nn.Linear(width, task.width)]


def mlp(config: HeadConfig, width: int, task: Task) -> list[nn.Module]:
    """Create one hidden layer and a linear layer."""
    return [*hidden_layer(width, config.hidden), nn.Linear(config.hidden, task.width)]


def multitask(config: HeadConfig, width: int, task: Task) -> list[nn.Module]:
    """Create a linear layer for each output, behind a shared hidden layer if there is one."""
    if not config.hidden:
        return [ParallelLinear(width, task)]
    return [*hidden_layer(width, config.hidden), ParallelLinear(config.hidden, task)]


HEAD_LAYERS: Mapping[str, Callable[[HeadConfig, int, Task], list[nn.Module]]] = {
    "logistic_regression": logistic_regression,
    "mlp": mlp,
    "multitask": multitask,
}
"""For each kind of head: the function that creates its layers from the configuration, the input width and the task."""


class Head(nn.Module):
    """A head: standardization of its input, then its layers.

    Parameters
    ----------
    width : int
        Number of input columns.
    layers : list of nn.Module
    """

    def __init__(self, width: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.standardise = Standardize(width)
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        """Map features [N, D] to logits [N, C]."""
        return self.layers(self.standardise(features))


def build_head(config: HeadConfig, width: int, task: Task) -> Head:
    """Build a head with initial weights from torch's global generator; raise InputError for an unknown kind."""
    if config.kind not in HEAD_LAYERS:
        raise unknown_name_error("head", config.kind, HEAD_LAYERS)
    return Head(width, HEAD_LAYERS[config.kind](config, width, task))
