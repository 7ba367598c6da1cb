"""Heads of the same shape that are trained on the same batches, each with a separate learning rate and l2.

`BatchedHeads` multiplies the features by the weights of all its heads in one matrix product. No head affects the
gradient of another, so that each head is trained as if alone, up to rounding. `SingleHead` holds a single head, which
is bit-identical to a head trained alone.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from harness.training.batched_losses import compute_batched_losses
from harness.training.heads.modules import Head, ParallelLinear
from harness.training.losses import BlockLosses, Targets, l2_penalty

MAX_COLUMNS = 128
"""Maximum number of output columns of a batched product on a CPU; with more, the weights exceed the CPU cache."""


class HeadEnsemble(Protocol):
    """Heads that are trained together.

    In shapes, B is the number of rows, D of features, C of logits and J of heads.
    """

    def logits(self, inputs: Tensor) -> Tensor:
        """Map standardized inputs [B, D] to logits [B, C, J]."""

    def step(self, inputs: Tensor, targets: Targets, rates: Sequence[float]) -> Tensor:
        """Make one step of every head at its rate; return the losses [J] before the step, without the l2 term."""

    def keep(self, heads: Sequence[int]) -> None:
        """Keep only the heads with these indices, at least one."""

    def state(self, head: int) -> dict[str, Tensor]:
        """Copy one head's tensors to the CPU, with the names of a head that was trained alone."""


def max_ensemble_size(head: Head, device: torch.device) -> int:
    """Compute how many heads of this shape are best trained together.

    On a GPU, these are all heads, since one head does not keep the GPU busy. On a CPU, linear heads are trained in
    groups with at most `MAX_COLUMNS` output columns. Heads with a hidden layer are trained one by one: the matrix
    product of one such head is large enough to be efficient. Besides, rounding can change the sign of a ReLU's input,
    and a batched head would then differ by more than 1e-5 from the head trained alone.
    """
    if device.type != "cpu":
        return sys.maxsize
    return 1 if _has_hidden_layer(head) else max(1, MAX_COLUMNS // len(_concatenate_output_tensors(head, "bias")))


def make_ensemble(head: Head, l2: Sequence[float], losses: BlockLosses, device: torch.device) -> HeadEnsemble:
    """Create one head for each value of l2; all start from the weights of `head`."""
    return SingleHead(head, l2[0], losses, device) if len(l2) == 1 else BatchedHeads(head, l2, losses, device)


class SingleHead:
    """A single head with the interface of an ensemble.

    Parameters
    ----------
    head : Head
        Copied.
    l2 : float
    losses : BlockLosses
        Must be on `device`.
    device : torch.device
    """

    def __init__(self, head: Head, l2: float, losses: BlockLosses, device: torch.device) -> None:
        self.head, self.l2, self.losses = copy.deepcopy(head).to(device), l2, losses
        self._adam = torch.optim.AdamW(self.head.parameters(), weight_decay=0.0, fused=True)

    def logits(self, inputs: Tensor) -> Tensor:
        """Map standardized inputs [B, D] to logits [B, C, 1]."""
        return self.head.layers(inputs)[:, :, None]

    def step(self, inputs: Tensor, targets: Targets, rates: Sequence[float]) -> Tensor:
        """Make one step; return the loss [1] before the step, without the l2 term."""
        loss = self.losses(self.head.layers(inputs), targets)
        (loss + l2_penalty(self.head, self.l2)).backward()
        (self._adam.param_groups[0]["lr"],) = rates
        self._adam.step()
        self._adam.zero_grad()
        return loss.detach()[None]

    def keep(self, heads: Sequence[int]) -> None:
        """Do nothing: there is no other head."""

    def state(self, head: int) -> dict[str, Tensor]:
        """Copy the head's tensors to the CPU."""
        return {name: value.detach().to("cpu", copy=True) for name, value in self.head.state_dict().items()}


class BatchedHeads:
    """J heads with the same initial weights.

    Parameters
    ----------
    head : Head
        Its weights are the initial weights of every head.
    l2 : sequence of float
        Weight of the l2 penalty of each head.
    losses : BlockLosses
        Must be on `device`.
    device : torch.device

    Attributes
    ----------
    tensors : dict of str to Tensor
        `hidden.weight` [J, H, D] and `hidden.bias` [J, H] if there is a hidden layer, `output.weight` [J, C, H or D]
        and `output.bias` [J, C].
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
        """Replace the tensors and the states of Adam.

        Adam updates tensors of zeros, one for each parameter, at a learning rate of 1. The result, times the learning
        rate of a head, is the step of that head.
        """
        self.tensors = {name: value.requires_grad_() for name, value in tensors.items()}
        self._steps = {name: torch.zeros_like(value, requires_grad=False) for name, value in tensors.items()}
        self._adam = torch.optim.AdamW(self._steps.values(), lr=1.0, weight_decay=0.0, fused=True)
        for name, state in states.items():
            self._adam.state[self._steps[name]] = state

    def __len__(self) -> int:
        return len(self.l2)

    def logits(self, inputs: Tensor) -> Tensor:
        """Map standardized inputs [B, D] to logits [B, C, J]."""
        weight, bias = self.tensors["output.weight"], self.tensors["output.bias"]
        if "hidden.weight" not in self.tensors:
            flat = functional.linear(inputs, weight.flatten(0, 1), bias.flatten())
            return flat.view(len(inputs), len(self), -1).transpose(1, 2).contiguous()
        hidden = functional.linear(
            inputs, self.tensors["hidden.weight"].flatten(0, 1), self.tensors["hidden.bias"].flatten()
        ).relu()
        by_head = hidden.view(len(inputs), len(self), -1).transpose(0, 1)
        return torch.baddbmm(bias[:, None], by_head, weight.transpose(1, 2)).permute(1, 2, 0).contiguous()

    def step(self, inputs: Tensor, targets: Targets, rates: Sequence[float]) -> Tensor:
        """Make one step of every head at its rate; return the losses [J] before the step, without the l2 term."""
        losses = compute_batched_losses(self.losses, self.logits(inputs), targets)
        losses.sum().backward()
        rate = torch.tensor(rates, dtype=torch.float32, device=self.device)
        with torch.no_grad():
            for name, value in self.tensors.items():
                if name.endswith("weight"):
                    assert value.grad is not None
                    value.grad.addcmul_(value, 2 * self.l2[:, None, None])
                self._steps[name].grad = value.grad
            self._adam.step()
            for name, value in self.tensors.items():
                value.addcmul_(self._steps[name], rate.view(-1, *[1] * (value.ndim - 1)))
                self._steps[name].zero_()
                value.grad = None
        return losses.detach()

    def keep(self, heads: Sequence[int]) -> None:
        """Keep only the heads with these indices, at least one."""
        index = torch.tensor(heads, dtype=torch.int64, device=self.device)
        states = {
            name: {key: value if key == "step" else value[index] for key, value in self._adam.state[step].items()}
            for name, step in self._steps.items()
        }
        self.l2 = self.l2[index]
        self._set_tensors({name: value.detach()[index] for name, value in self.tensors.items()}, states)

    def state(self, head: int) -> dict[str, Tensor]:
        """Copy one head's tensors to the CPU, with the names of a head that was trained alone."""
        tensors = {name: value.detach()[head] for name, value in self.tensors.items()}
        state = {f"standardise.{name}": value for name, value in self.head.standardise.named_buffers()}
        if _has_hidden_layer(self.head):
            state |= {"layers.0.weight": tensors["hidden.weight"], "layers.0.bias": tensors["hidden.bias"]}
        start = 0
        for name, block in _output_layers(self.head).items():
            rows = slice(start, start := start + block.out_features)
            state |= {f"{name}.weight": tensors["output.weight"][rows], f"{name}.bias": tensors["output.bias"][rows]}
        return {name: value.to("cpu", copy=True).contiguous() for name, value in state.items()}


def _has_hidden_layer(head: Head) -> bool:
    return len(head.layers) > 1


def _output_layers(head: Head) -> dict[str, nn.Linear]:
    """Return the linear layers whose outputs are concatenated, by their names in the head's state."""
    name, last = f"layers.{len(head.layers) - 1}", head.layers[-1]
    if isinstance(last, ParallelLinear):
        return {f"{name}.blocks.{output}": cast("nn.Linear", block) for output, block in last.blocks.items()}
    return {name: cast("nn.Linear", last)}


def _concatenate_output_tensors(head: Head, tensor: str) -> Tensor:
    return torch.cat([getattr(block, tensor) for block in _output_layers(head).values()])
