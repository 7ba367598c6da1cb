"""What a fit is given and what it leaves, apart from the library that runs it."""

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
    """The share of rows that this process handles: rows[index::of] of every batch, or of the selection rows.

    Every process needs equally many rows of a training batch, and at least one selection row.
    """

    index: int = 0
    of: int = 1


Batches = Callable[[int, Shard], Iterable[Batch]]
"""The batches (inputs, targets) of an epoch, counted from 0; a pure function, so that a fit can be taken up again."""


class InputTransform(Protocol):
    """Makes of the inputs of a batch, on the model's device, what the network takes; in float32, without gradients."""

    def train_transform(self, inputs: Tensor, random: Generator) -> Tensor:
        """Prepared and changed at random; `random` is on the inputs' device and seeded for this batch alone."""

    def eval_transform(self, inputs: Tensor) -> Tensor:
        """Prepared only, as selection rows are."""


def prepare_inputs(inputs: InputTransform, given: Tensor, seed: int | None) -> Tensor:
    """What `inputs` makes of what was given; changed at random where there is a seed."""
    with torch.no_grad(), torch.autocast(given.device.type, enabled=False):
        if seed is None:
            return inputs.eval_transform(given)
        return inputs.train_transform(given, torch.Generator(given.device).manual_seed(seed))


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights move: AdamW (Adam when weight_decay is 0), its rate warmed up and then lowered to 0, or constant.

    rows: rows seen in one epoch by all processes; the schedule follows the share of rows seen, however they are
    batched.
    warmup: share of the training in which the rate rises from 0.
    clip: largest gradient norm; 0 for none.
    sharpness: rho of sharpness-aware minimisation; 0 for none.
    average: decay of the exponential moving average of the weights that is validated and kept; 0 for none.
    seed: of everything random in the network and its inputs.
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
        """Learning rate after `seen` rows."""
        done = min(seen / max(self.epochs * self.rows, 1), 1.0)
        if done < self.warmup:
            return self.learning_rate * max(done, 0.01 * self.warmup) / self.warmup
        if self.schedule == "constant":
            return self.learning_rate
        return self.learning_rate * 0.5 * (1 + math.cos(math.pi * (done - self.warmup) / (1 - self.warmup)))

    def parameter_groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """Those of its parameters that learn, as an optimiser takes them: only matrices decay."""
        learns = [parameter for parameter in module.parameters() if parameter.requires_grad]
        groups = [
            {"params": [p for p in learns if p.ndim > 1], "weight_decay": self.weight_decay},
            {"params": [p for p in learns if p.ndim <= 1], "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def derive_seed(self, epoch: int, process: int, batch: int = -1) -> int:
        """A seed for one batch of an epoch on one process, or, without `batch`, for that epoch as a whole."""
        entropy = np.random.SeedSequence([self.seed, epoch, process, batch + 1])
        return int(entropy.generate_state(1, np.uint64)[0] >> np.uint64(1))


@dataclass
class FitResult:
    """What a fit leaves.

    state: the weights that were kept, on the CPU; epoch: the one (from 1) that they are of. history: for each epoch
    `epoch` (from 1), `loss` (of the unperturbed weights), `rate` (the last step's learning rate) and, with selection
    rows, `value` and, with a criterion of its own, `criterion`. stopped: `on_epoch` ended the training.
    """

    state: dict[str, Tensor]
    epoch: int
    history: list[dict[str, float]]
    stopped: bool


@dataclass(frozen=True)
class Selection:
    """Rows that choose the epoch: `batches(part)` gives the inputs of the part's rows in order, `score(logits [N, C])`
    the value of them all.

    keep: the weights of the `best` epoch, or of the `last`. criterion(logits): what the best epoch has most of, where
    that is not the value. on_epoch(epoch from 1, value): called after each epoch, by the first process only, when the
    history holds the epoch; True ends the training.
    """

    batches: Callable[[Shard], Iterable[Tensor]]
    score: Callable[[np.ndarray], float]
    keep: str = "best"
    on_epoch: OnEpoch | None = None
    criterion: Callable[[np.ndarray], float] | None = None

    def evaluate(self, logits: np.ndarray, entry: dict[str, float]) -> float:
        """What the best epoch has most of; it and the value are noted in the epoch's entry of the history."""
        entry["value"] = self.score(logits)
        if self.criterion is None:
            return entry["value"]
        entry["criterion"] = self.criterion(logits)
        return entry["criterion"]


class LazyBatches:
    """Batches that are already made, asked for when the first of them is: Lightning also opens iterators it never
    reads.
    """

    def __init__(self, batches: Callable[[], Iterable[Any]]) -> None:
        self.batches = batches

    def __iter__(self) -> Iterator[Any]:
        yield from self.batches()
