"""Heads of one shape that learn from the same batches, each by Adam with its own rate and its own l2.

`BatchedHeads` multiplies the features with the weights of all its heads in one product; their gradients do not mix, so
each head learns as if trained alone, up to rounding. `SingleHead` is one head whose arithmetic is that of a head
trained alone, to the last bit.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.training.batched_losses import compute_batched_losses
from harness.training.heads.modules import Head, ParallelLinear
from harness.training.losses import BlockLosses, Targets, l2_penalty

MAX_COLUMNS = 128
"""Columns of the product of one stack on a CPU: more do not make it faster, and their weights leave the cache."""


class HeadEnsemble(Protocol):
    """Heads that take their steps side by side."""

    def logits(self, inputs: Tensor) -> Tensor:
        """Standardised inputs [B, D] -> [B, C, J]."""

    def step(self, inputs: Tensor, targets: Targets, rates: Sequence[float]) -> Tensor:
        """One step of every head at its own rate; the losses [J] before it, without the l2 term."""

    def keep(self, heads: Sequence[int]) -> None:
        """Leave the other heads out from now on; at least one is kept."""

    def state(self, head: int) -> dict[str, Tensor]:
        """A copy of one head's tensors, on the CPU, named as those of a head that was trained alone."""


def max_ensemble_size(head: Head, device: torch.device) -> int:
    """How many heads like this one are best multiplied in one product.

    On a GPU, which one head does not keep busy, all there are. On a CPU as many as fill COLUMNS; but one where there is
    a hidden layer: its product alone is large enough, and where rounding decides on which side of 0 a unit lies, a head
    among others would not stay within 1e-5 of the head alone.
    """
    if device.type != "cpu":
        return sys.maxsize
    return 1 if _has_hidden_layer(head) else max(1, MAX_COLUMNS // len(_concatenate_output_tensors(head, "bias")))


def make_ensemble(head: Head, l2: Sequence[float], losses: BlockLosses, device: torch.device) -> HeadEnsemble:
    """As many heads as there are values of l2, which begin with the weights of `head`."""
    return SingleHead(head, l2[0], losses, device) if len(l2) == 1 else BatchedHeads(head, l2, losses, device)


class SingleHead:
    """One head."""

    def __init__(self, head: Head, l2: float, losses: BlockLosses, device: torch.device) -> None:
        self.head, self.l2, self.losses = copy.deepcopy(head).to(device), l2, losses
        self._adam = torch.optim.AdamW(self.head.parameters(), weight_decay=0.0, fused=True)

    def logits(self, inputs: Tensor) -> Tensor:
        return self.head.layers(inputs)[:, :, None]

    def step(self, inputs: Tensor, targets: Targets, rates: Sequence[float]) -> Tensor:
        loss = self.losses(self.head.layers(inputs), targets)
        (loss + l2_penalty(self.head, self.l2)).backward()
        (self._adam.param_groups[0]["lr"],) = rates
        self._adam.step()
        self._adam.zero_grad()
        return loss.detach()[None]

    def keep(self, heads: Sequence[int]) -> None:
        """There is no other."""

    def state(self, head: int) -> dict[str, Tensor]:
        return {name: value.detach().to("cpu", copy=True) for name, value in self.head.state_dict().items()}


class BatchedHeads:
    """J heads that begin with the weights of `head`.

    l2: of each; tensors: by name `hidden.weight` [J, H, D], `hidden.bias` [J, H] (where there is a hidden layer),
    `output.weight` [J, C, H or D], `output.bias` [J, C].
    """

    def __init__(self, head: Head, l2: Sequence[float], losses: BlockLosses, device: torch.device) -> None:
        self.head, self.losses, self.device = head, losses, device
        tensors = {
            "output.weight": _concatenate_output_tensors(head, "weight"),
            "output.bias": _concatenate_output_tensors(head, "bias"),
        }
        if _has_hidden_layer(head):
            tensors |= {f"hidden.{name}": value for name, value in head.layers[0].named_parameters()}
        self.l2 = torch.tensor(l2, dtype=torch.float32, device=device)
        self._set_tensors(
            {name: value.detach().to(device).expand(len(l2), *value.shape).clone() for name, value in tensors.items()},
            {},
        )

    def _set_tensors(self, tensors: dict[str, Tensor], states: dict[str, dict[str, Tensor]]) -> None:
        """Adam steps move a zero beside each tensor, at rate 1: what it moves by, times its own rate, is a head's
        step.
        """
        self.tensors = {name: value.requires_grad_() for name, value in tensors.items()}
        self._steps = {name: torch.zeros_like(value, requires_grad=False) for name, value in tensors.items()}
        self._adam = torch.optim.AdamW(self._steps.values(), lr=1.0, weight_decay=0.0, fused=True)
        for name, state in states.items():
            self._adam.state[self._steps[name]] = state

    def __len__(self) -> int:
        return len(self.l2)

    def logits(self, inputs: Tensor) -> Tensor:
        weight, bias = self.tensors["output.weight"], self.tensors["output.bias"]
        if "hidden.weight" not in self.tensors:
            flat = functional.linear(inputs, weight.flatten(0, 1), bias.flatten())
            return flat.view(len(inputs), len(self), -1).transpose(1, 2).contiguous()
        hidden = functional.linear(
            inputs, self.tensors["hidden.weight"].flatten(0, 1), self.tensors["hidden.bias"].flatten()
        ).relu()
        own = hidden.view(len(inputs), len(self), -1).transpose(0, 1)
        return torch.baddbmm(bias[:, None], own, weight.transpose(1, 2)).permute(1, 2, 0).contiguous()

    def step(self, inputs: Tensor, targets: Targets, rates: Sequence[float]) -> Tensor:
        losses = compute_batched_losses(self.losses, self.logits(inputs), targets)
        losses.sum().backward()
        by_head = torch.tensor(rates, dtype=torch.float32, device=self.device)
        with torch.no_grad():
            for name, value in self.tensors.items():
                if name.endswith("weight"):
                    value.grad.addcmul_(value, 2 * self.l2[:, None, None])
                self._steps[name].grad = value.grad
            self._adam.step()
            for name, value in self.tensors.items():
                value.addcmul_(self._steps[name], by_head.view(-1, *[1] * (value.ndim - 1)))
                self._steps[name].zero_()
                value.grad = None
        return losses.detach()

    def keep(self, heads: Sequence[int]) -> None:
        index = torch.tensor(heads, dtype=torch.int64, device=self.device)
        states = {
            name: {key: value if key == "step" else value[index] for key, value in self._adam.state[moved].items()}
            for name, moved in self._steps.items()
        }
        self.l2 = self.l2[index]
        self._set_tensors({name: value.detach()[index] for name, value in self.tensors.items()}, states)

    def state(self, head: int) -> dict[str, Tensor]:
        own = {name: value.detach()[head] for name, value in self.tensors.items()}
        state = {f"standardise.{name}": value for name, value in self.head.standardise.named_buffers()}
        if _has_hidden_layer(self.head):
            state |= {"layers.0.weight": own["hidden.weight"], "layers.0.bias": own["hidden.bias"]}
        start = 0
        for name, block in _output_layers(self.head).items():
            rows = slice(start, start := start + block.out_features)
            state |= {f"{name}.weight": own["output.weight"][rows], f"{name}.bias": own["output.bias"][rows]}
        return {name: value.to("cpu", copy=True).contiguous() for name, value in state.items()}


def _has_hidden_layer(head: Head) -> bool:
    return len(head.layers) > 1


def _output_layers(head: Head) -> dict[str, nn.Linear]:
    """The linear layers that give the output, side by side, by their names in the head's state."""
    name, last = f"layers.{len(head.layers) - 1}", head.layers[-1]
    if isinstance(last, ParallelLinear):
        return {f"{name}.blocks.{output}": block for output, block in last.blocks.items()}
    return {name: last}


def _concatenate_output_tensors(head: Head, tensor: str) -> Tensor:
    return torch.cat([getattr(block, tensor) for block in _output_layers(head).values()])
