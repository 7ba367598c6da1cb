"""Exponential moving average of a module's weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn


class ExponentialMovingAverage:
    """Averages of the floating-point tensors in a module's state; other tensors are copied.

    In update n, counted from 1, the decay is min(decay, (1 + n) / (10 + n)), so that the initial weights have little
    influence even in a short training.

    Parameters
    ----------
    module : nn.Module
        Its current state initializes the averages.
    decay : float
        Decay in [0, 1).

    Attributes
    ----------
    updates : int
        Number of updates so far.
    values : dict of str to Tensor
        For each name in the module's state, the average in float32 or wider. A tensor that is not floating-point is
        copied instead.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.values = {
            name: value.detach().to(_accumulation_dtype(value), copy=True)
            for name, value in module.state_dict().items()
        }
        self._saved: dict[str, Tensor] = {}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Add the module's current state to the averages."""
        self.updates += 1
        share = 1 - min(self.decay, (1 + self.updates) / (10 + self.updates))
        for name, value in module.state_dict().items():
            if value.is_floating_point():
                self.values[name].lerp_(value.to(self.values[name].dtype), share)
            else:
                self.values[name].copy_(value)

    @torch.no_grad()
    def apply(self, module: nn.Module) -> None:
        """Load the averages into the module until `restore` is called."""
        for name, value in module.state_dict().items():
            self._saved[name] = value.detach().clone()
            value.copy_(self.values[name])

    @torch.no_grad()
    def restore(self, module: nn.Module) -> None:
        """Restore the module's state from before `apply`."""
        for name, value in module.state_dict().items():
            value.copy_(self._saved[name])
        self._saved = {}

    def state_dict(self) -> dict[str, Any]:
        """Return the number of updates and the averages, for a checkpoint."""
        return {"updates": self.updates, "values": self.values}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        self.updates = state["updates"]
        for name, value in state["values"].items():
            self.values[name].copy_(value)


def copy_averaged_state(module: nn.Module, average: ExponentialMovingAverage | None) -> dict[str, Tensor]:
    """Copy a module's state to the CPU, with averaged instead of current weights if `average` is given."""
    averages = average.values if average is not None else {}
    return {
        name: averages.get(name, value).detach().to("cpu", value.dtype, copy=True)
        for name, value in module.state_dict().items()
    }


def _accumulation_dtype(value: Tensor) -> torch.dtype:
    return torch.promote_types(value.dtype, torch.float32) if value.is_floating_point() else value.dtype
