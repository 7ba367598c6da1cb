"""Sharpness-aware minimisation (Foret et al., 2021), around any optimiser."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class SAM:
    """Lets the optimiser have the gradient at w + rho * g / |g| in place of g, the gradient at w.

        loss = sharpness.loss(objective)  # two passes; leaves the weights where the second gradient is to be taken
        loss.backward()
        sharpness.restore()               # before gradients are clipped and the optimiser steps

    |g| is the norm over all trainable weights. The second pass repeats the random draws of the first (dropout), and
    what it does to buffers (batch norm's running statistics) is undone together with the perturbation. Where |g| is
    zero or not finite, nothing is perturbed. Several processes each perturb by their own gradient.
    """

    def __init__(self, module: nn.Module, rho: float) -> None:
        self.module, self.rho = module, rho
        self._before: list[tuple[Tensor, Tensor]] = []

    def loss(self, objective: Callable[[], Tensor], scale: Callable[[Tensor], Tensor] = lambda loss: loss) -> Tensor:
        """The objective at the perturbed weights; it is called twice, first at the weights as they are.

        scale: what is done to a loss before its gradient is taken in half precision, so that it does not vanish.
        """
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        with _rewindable_rng(parameters) as again:
            first = objective()
            with torch.autocast(first.device.type, enabled=False):
                gradients = torch.autograd.grad(scale(first), parameters, allow_unused=True)
            self._perturb([(p, g) for p, g in zip(parameters, gradients) if g is not None])
            torch.clear_autocast_cache()
            again()
            return objective()

    @torch.no_grad()
    def _perturb(self, pairs: list[tuple[Tensor, Tensor]]) -> None:
        wide = [g.to(torch.promote_types(g.dtype, torch.float32)) for _, g in pairs]
        norm = torch.nn.utils.get_total_norm(wide).item()
        moved = [p for p, _ in pairs] if math.isfinite(norm) and norm > 0 else []
        self._before = [(value, value.detach().clone()) for value in (*moved, *self.module.buffers())]
        for parameter, gradient in zip(moved, wide):
            parameter.add_(gradient.mul_(self.rho / norm))

    @torch.no_grad()
    def restore(self) -> None:
        """Put back, exactly, the weights and buffers that `loss` found after its first pass."""
        for value, before in self._before:
            value.copy_(before)
        self._before = []


@contextmanager
def _rewindable_rng(parameters: list[Tensor]) -> Iterator[Callable[[], None]]:
    """Yield a function that sets torch's random states back to what they were."""
    device = parameters[0].device if parameters else torch.device("cpu")
    cpu = torch.get_rng_state()
    backend = None if device.type == "cpu" else torch.get_device_module(device)
    state = None if backend is None else backend.get_rng_state(device)

    def restore_rng_state() -> None:
        torch.set_rng_state(cpu)
        if backend is not None:
            backend.set_rng_state(state, device)

    yield restore_rng_state
