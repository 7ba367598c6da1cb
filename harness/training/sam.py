"""Sharpness-aware minimization (Foret et al. 2021, arXiv 2010.01412) for any optimizer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class SAM:
    """Replace the gradient g at the weights w by the gradient at w + rho * g / |g|.

    |g| is the norm over all trainable weights. The second pass repeats the random draws of the first (dropout). When
    the perturbation is undone, the second pass's changes to buffers (batch norm's running statistics) are undone too.
    If |g| is zero or not finite, nothing is perturbed. In distributed training each process perturbs the weights by the
    gradient of its own rows.

    Parameters
    ----------
    module : nn.Module
    rho : float
        Size of the perturbation.

    Examples
    --------
    The order of the calls in a training step::

        loss = sam.loss(objective)  # two passes; leaves the weights perturbed
        loss.backward()
        sam.restore()  # before gradients are clipped and the optimizer steps
    """

    def __init__(self, module: nn.Module, rho: float) -> None:
        self.module, self.rho = module, rho
        self._saved: list[tuple[Tensor, Tensor]] = []

    def loss(self, objective: Callable[[], Tensor], scale: Callable[[Tensor], Tensor] = lambda loss: loss) -> Tensor:
        """Compute the loss at the perturbed weights.

        Parameters
        ----------
        objective : callable
            Computes the loss. It is called twice: at the weights, then at the perturbed weights.
        scale : callable, optional
            Loss scaling for half precision, so that the first gradient does not underflow.
        """
        parameters = [p for p in self.module.parameters() if p.requires_grad]
        with _rewindable_rng(parameters) as rewind:
            first = objective()
            with torch.autocast(first.device.type, enabled=False):
                gradients = torch.autograd.grad(scale(first), parameters, allow_unused=True)
            self._perturb([(p, g) for p, g in zip(parameters, gradients) if g is not None])
            torch.clear_autocast_cache()
            rewind()
            return objective()

    @torch.no_grad()
    def _perturb(self, pairs: list[tuple[nn.Parameter, Tensor]]) -> None:
        gradients = [g.to(torch.promote_types(g.dtype, torch.float32)) for _, g in pairs]
        norm = torch.nn.utils.get_total_norm(gradients).item()
        perturbed = [p for p, _ in pairs] if math.isfinite(norm) and norm > 0 else []
        self._saved = [(value, value.detach().clone()) for value in (*perturbed, *self.module.buffers())]
        for parameter, gradient in zip(perturbed, gradients):
            parameter.add_(gradient.mul_(self.rho / norm))

    @torch.no_grad()
    def restore(self) -> None:
        """Restore the exact weights and buffers from before the perturbation."""
        for value, saved in self._saved:
            value.copy_(saved)
        self._saved = []


@contextmanager
def _rewindable_rng(parameters: Sequence[Tensor]) -> Iterator[Callable[[], None]]:
    """Yield a function that restores torch's current random states."""
    device = parameters[0].device if parameters else torch.device("cpu")
    cpu_state = torch.get_rng_state()
    backend = None if device.type == "cpu" else torch.get_device_module(device)
    device_state = None if backend is None else backend.get_rng_state(device)

    def restore_rng_state() -> None:
        torch.set_rng_state(cpu_state)
        if backend is not None:
            backend.set_rng_state(device_state, device)

    yield restore_rng_state
