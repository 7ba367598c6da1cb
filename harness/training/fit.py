"""Inputs and results of a fit, independent of the library that runs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Generator, Tensor, nn

from harness.training.losses import Targets

Batch = tuple[Tensor, Targets]
OnEpoch = Callable[[int, float], bool]


@dataclass(frozen=True)
class Shard:
    """The share of rows that one process handles: rows `index::of` of every batch and of the selection rows.

    Every process needs equally many rows of a training batch, and at least one selection row.

    Attributes
    ----------
    index : int
        Rank of the process.
    of : int
        Number of processes.
    """

    index: int = 0
    of: int = 1


Batches = Callable[[int, Shard], Iterable[Batch]]
"""Pure function `batches(epoch, shard)` that returns batches (inputs, targets); epochs count from 0."""


class InputTransform(Protocol):
    """Converts the inputs of a batch to network inputs, on the model's device, in float32 and without gradients."""

    def train_transform(self, inputs: Tensor, random: Generator) -> Tensor:
        """Convert and augment; `random` is on the device of the inputs and seeded for this batch alone."""

    def eval_transform(self, inputs: Tensor) -> Tensor:
        """Convert without augmentation, as for selection rows."""


def prepare_inputs(transform: InputTransform, inputs: Tensor, seed: int | None) -> Tensor:
    """Apply `transform` to the inputs of a batch, with augmentation if a seed is given."""
    with torch.no_grad(), torch.autocast(inputs.device.type, enabled=False):
        if seed is None:
            return transform.eval_transform(inputs)
        return transform.train_transform(inputs, torch.Generator(inputs.device).manual_seed(seed))


@dataclass(frozen=True)
class OptimizerConfig:
    """Optimizer and schedule: AdamW (Adam if weight_decay is 0) with linear warmup.

    Attributes
    ----------
    epochs : int
    rows : int
        Rows that all processes together see in one epoch. The schedule depends on the number of rows seen, not on how
        they are batched.
    learning_rate : float
        Largest learning rate.
    schedule : {"cosine", "constant"}
        After the warmup the rate falls to 0 along a half cosine, or is constant.
    warmup : float
        Share of the training in which the rate rises, from 1% of `learning_rate` to `learning_rate`.
    weight_decay : float
        Applied only to parameters with two or more dimensions, so not to biases.
    l2 : float
        Weight of the sum of the head's squared weights in the loss; see `harness.training.losses.l2_penalty`.
    clip : float
        Largest gradient norm; 0 for no limit.
    sharpness : float
        Rho of sharpness-aware minimization; 0 for none.
    average : float
        Decay of the exponential moving average of the weights; 0 for no average. The averaged weights are validated and
        returned.
    seed : int
        Seed of dropout and augmentation.
    """

    epochs: int
    rows: int
    learning_rate: float
    schedule: str = "cosine"
    warmup: float = 0.0
    weight_decay: float = 0.0
    l2: float = 0.0
    clip: float = 0.0
    sharpness: float = 0.0
    average: float = 0.0
    seed: int = 0

    def rate(self, seen: int) -> float:
        """Compute the learning rate after `seen` rows."""
        done = min(seen / max(self.epochs * self.rows, 1), 1.0)
        if done < self.warmup:
            return self.learning_rate * max(done, 0.01 * self.warmup) / self.warmup
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Group a module's trainable parameters for an optimizer, with and without weight decay."""
        trainable = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups: list[dict[str, Any]] = [
            {"params": [p for p in trainable if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in trainable if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def derive_seed(self, epoch: int, process: int, batch: int = -1) -> int:
        """Derive a seed for one batch of an epoch on one process or, without `batch`, for the whole epoch."""
        entropy = np.random.SeedSequence([self.seed, epoch, process, batch + 1])
        return int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass
class FitResult:
    """Result of a fit.

    Attributes
    ----------
    state : dict of str to Tensor
        Weights of the selected epoch, on the CPU.
    epoch : int
        The selected epoch, counted from 1.
    history : list of dict
        One entry per epoch with `epoch` (from 1), `loss` (with SAM, of the weights before the perturbation) and `rate`
        (learning rate of the last step). With selection rows the entry also has `value`. If the selection has a
        separate criterion, the entry has `criterion` too; see `Selection`.
    stopped : bool
        Whether `on_epoch` ended the training.
    """

    state: dict[str, Tensor]
    epoch: int
    history: list[dict[str, float]]
    stopped: bool


@dataclass(frozen=True)
class Selection:
    """Rows on which every epoch is evaluated (selection rows), and how they select one epoch.

    Attributes
    ----------
    batches : callable
        `batches(shard)` yields the inputs of the shard's rows in order.
    score : callable
        Maps the logits [N, C] of all rows to the value of an epoch.
    keep : {"best", "last"}
        Whether to return the weights of the best or of the last epoch.
    on_epoch : callable, optional
        Rank zero calls `on_epoch(epoch, value)`, with the epoch counted from 1, when the epoch has been added to the
        history. Returning True ends the training.
    criterion : callable, optional
        Maps the logits [N, C] of all rows to a number; the best epoch has the largest. Default: `score`.
    """

    batches: Callable[[Shard], Iterable[Tensor]]
    score: Callable[[np.ndarray], float]
    keep: str = "best"
    on_epoch: OnEpoch | None = None
    criterion: Callable[[np.ndarray], float] | None = None

    def evaluate(self, logits: np.ndarray, entry: dict[str, float]) -> float:
        """Compute the value and the criterion of an epoch; return the criterion.

        The value and, if `self.criterion` is set, the criterion are added to `entry`, the epoch's entry in the history.
        """
        entry["value"] = self.score(logits)
        if self.criterion is None:
            return entry["value"]
        entry["criterion"] = self.criterion(logits)
        return entry["criterion"]


class LazyBatches:
    """Iterable that creates its batches when the first one is requested.

    Lightning opens some iterators that it never reads; no batches are created for those.

    Parameters
    ----------
    batches : callable
        Returns an iterable of batches.
    """

    def __init__(self, batches: Callable[[], Iterable[Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        yield from self.batches()
