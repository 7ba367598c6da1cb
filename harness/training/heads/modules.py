"""The heads: features [N, D] -> logits [N, C]; activations belong to `harness.metrics.tasks`."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from harness.metrics.tasks import Task
from harness.training.heads.config import HeadConfig
from harness.utils.errors import unknown_name_error


class Standardize(nn.Module):
    """(x - mean) / deviation by column; a constant column becomes 0. Starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))

    def set_statistics(self, mean: np.ndarray, deviation: np.ndarray) -> None:
        """mean, deviation: [D], finite."""
        scale = np.divide(1.0, deviation, out=np.zeros_like(deviation), where=deviation > 1e-6 * (1e-6 + np.abs(mean)))
        self.mean.copy_(torch.as_tensor(mean))
        self.scale.copy_(torch.as_tensor(scale))

    def forward(self, features: Tensor) -> Tensor:
        return (features - self.mean) * self.scale


class ParallelLinear(nn.Module):
    """One linear layer for each output block of the task, side by side."""

    def __init__(self, width: int, task: Task) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({output.name: nn.Linear(width, len(output.columns)) for output in task.outputs})

    def forward(self, features: Tensor) -> Tensor:
        return torch.cat([block(features) for block in self.blocks.values()], dim=1)


def hidden_layer(width: int, hidden: int) -> list[nn.Module]:
    return [nn.Linear(width, hidden), nn.ReLU()]


def logistic_regression(config: HeadConfig, width: int, task: Task) -> list[nn.Module]:
    return [nn.Linear(width, task.width)]


def mlp(config: HeadConfig, width: int, task: Task) -> list[nn.Module]:
    return [*hidden_layer(width, config.hidden), nn.Linear(config.hidden, task.width)]


def multitask(config: HeadConfig, width: int, task: Task) -> list[nn.Module]:
    if not config.hidden:
        return [ParallelLinear(width, task)]
    return [*hidden_layer(width, config.hidden), ParallelLinear(config.hidden, task)]


HEAD_LAYERS: Mapping[str, Callable[[HeadConfig, int, Task], list[nn.Module]]] = {
    "logistic_regression": logistic_regression,
    "mlp": mlp,
    "multitask": multitask,
}


class Head(nn.Module):
    """Standardisation of the input, then the layers of a head."""

    def __init__(self, width: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.standardise = Standardize(width)
        self.layers = nn.Sequential(*layers)

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(self.standardise(features))


def build_head(config: HeadConfig, width: int, task: Task) -> Head:
    """A head with fresh weights from torch's global generator; InputError when nothing has that kind's name."""
    if config.kind not in HEAD_LAYERS:
        raise unknown_name_error("head", config.kind, HEAD_LAYERS)
    return Head(width, HEAD_LAYERS[config.kind](config, width, task))
