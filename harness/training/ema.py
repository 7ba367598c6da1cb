"""The exponential moving average of a module's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class ExponentialMovingAverage:
    """Averages, in float32 or wider, of every floating tensor in a module's state; the others are copied.

    After n updates the decay is min(decay, (1 + n) / (10 + n)), so that a short training forgets where it began.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.values = {
            name: value.detach().to(_accumulation_dtype(value), copy=True)
            for name, value in module.state_dict().items()
        }
        self._aside: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take the module's present state in."""
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value.to(self.values[name].dtype), share)
            else:
                self.values[name].copy_(value)

    @torch.no_grad()
    def apply(self, module: nn.Module) -> None:
        """Give the module the averages until `restore`."""
        for name, value in module.state_dict().items():
            self._aside[name] = value.detach().clone()
            value.copy_(self.values[name])

    @torch.no_grad()
    def restore(self, module: nn.Module) -> None:
        for name, value in module.state_dict().items():
            value.copy_(self._aside[name])
        self._aside = {}

    def state_dict(self) -> dict[str, Any]:
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.updates = state["updates"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)


def copy_averaged_state(module: nn.Module, average: ExponentialMovingAverage | None) -> dict[str, Tensor]:
    """A copy of a module's state on the CPU, with the averages in place of what is averaged."""
    averages = average.values if average is not None else {}
    return {
        name: averages.get(name, value).detach().to("cpu", value.dtype, copy=True)
        for name, value in module.state_dict().items()
    }


def _accumulation_dtype(value: Tensor) -> torch.dtype:
    return torch.promote_types(value.dtype, torch.float32) if value.is_floating_point() else value.dtype
