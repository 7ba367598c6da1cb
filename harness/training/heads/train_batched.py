"""Heads that differ in their rates, l2 and epochs alone, trained together: one read of the data for all of them.

Each has its own hyperparameters, its own end and its own best epoch, and comes out as if it were trained alone, but for
rounding (1e-5). Its steps are not those of Lightning, whose fit has one optimiser step, one loss and one end.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from harness.metrics.tasks import Task
from harness.training.fit import OptimizerConfig, Selection, Shard
from harness.training.heads.batched import HeadEnsemble, make_ensemble, max_ensemble_size
from harness.training.heads.config import check_task_support, without_per_head_settings
from harness.training.heads.standardization import Matrix
from harness.training.heads.train import (
    HeadTrainingSpec,
    check_trainable,
    initialize_head,
    make_losses,
    make_selection,
    make_targets,
)
from harness.training.heads.trained_head import TrainedHead
from harness.training.losses import Targets
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from harness.data.dataset import Labels


def train_heads(
    task: Task,
    specs: Sequence[HeadTrainingSpec],
    training: tuple[Matrix, Labels],
    selection: tuple[Matrix, Labels] | None,
    seed: int,
    device: str = "cpu",
) -> list[TrainedHead | None]:
    """Train several heads as `train_head` does, reading the features once for all of them.

    Parameters
    ----------
    specs : sequence of HeadTrainingSpec
        Configurations that are `without_per_head_settings`; InputError for others.
    device : str
        Of torch. The other parameters are those of `harness.training.heads.train.train_head`.

    Returns
    -------
    list of TrainedHead or None
        None where the loss or an output stopped being finite. `seconds` of each is its share of the whole.
    """
    began = time.perf_counter()
    config, (matrix, labels) = specs[0].config, training
    if any(without_per_head_settings(spec.config) != without_per_head_settings(config) for spec in specs):
        raise InputError(
            "heads that are trained together differ in more than their rate, l2, epochs, schedule and "
            "the epoch they keep"
        )
    for spec in specs:
        check_task_support(spec.config, task)
    check_trainable(task, labels, matrix)
    loss = make_losses(task, config, matrix, labels)
    with torch.random.fork_rng(devices=[]):
        head = initialize_head(task, config, matrix, labels, seed)
    fits = [_HeadProgress(spec, len(matrix.rows)) for spec in specs]
    choosing = (
        {}
        if selection is None
        else {
            keep: make_selection(task, keep, *selection, copy.deepcopy(loss)) for keep in {spec.keep for spec in specs}
        }
    )
    place = torch.device(device)
    size = max_ensemble_size(head, place)
    tiles = [
        _HeadGroup(make_ensemble(head, [fit.spec.config.l2 for fit in some], loss.to(place), place), some)
        for some in (fits[start : start + size] for start in range(0, len(fits), size))
    ]
    targets = make_targets(task, labels)
    _train_groups(
        tiles,
        head.standardise.to(place),
        place,
        choosing,
        lambda epoch: _iter_batches(matrix, targets, config.batch_size, seed, epoch, place),
    )
    share = (time.perf_counter() - began) / len(fits)
    return [fit.to_trained_head(task, matrix.width, share) for fit in fits]


@dataclass
class _HeadProgress:
    """Where the training of one head stands."""

    spec: HeadTrainingSpec
    rows: int
    best: float = -math.inf
    epoch: int = 0
    history: list[dict[str, float]] = field(default_factory=list)
    state: dict[str, Tensor] = field(default_factory=dict)
    pruned: bool = False
    failed: bool = False

    def __post_init__(self) -> None:
        config = self.spec.config
        self.optimisation = OptimizerConfig(
            config.epochs, self.rows, config.learning_rate, config.schedule, l2=config.l2
        )

    @property
    def is_finished(self) -> bool:
        return self.failed or self.pruned or len(self.history) >= self.spec.length

    def end_epoch(
        self,
        loss: float,
        selection: Selection | None,
        logits: np.ndarray | None,
        state: Callable[[], dict[str, Tensor]],
    ) -> None:
        """Take in what an epoch gave: its mean loss, and the logits [N, C] of the selection rows where there are."""
        self.failed = not math.isfinite(loss) or (logits is not None and not np.isfinite(logits).all())
        if self.failed:
            return
        self.history.append({"epoch": len(self.history) + 1, "loss": loss})
        if selection is None or self._update_best(selection, logits):
            self.epoch, self.state = len(self.history), state()

    def _update_best(self, selection: Selection, logits: np.ndarray) -> bool:
        entry = self.history[-1]
        criterion = selection.evaluate(logits, entry)
        better = criterion > self.best or selection.keep == "last"
        self.best = max(self.best, criterion)
        on_epoch = self.spec.on_epoch
        self.pruned = bool(on_epoch and on_epoch(entry["epoch"], entry["value"]))
        return better

    def to_trained_head(self, task: Task, width: int, seconds: float) -> TrainedHead | None:
        if self.failed:
            return None
        return TrainedHead(
            {name: value.numpy() for name, value in self.state.items()},
            self.spec.config,
            task.name,
            width,
            self.epoch,
            self.history,
            seconds,
            self.pruned,
        )


@dataclass
class _HeadGroup:
    """Heads that take their steps side by side, and where each stands."""

    heads: HeadEnsemble
    fits: list[_HeadProgress]
    total: Tensor | float = 0.0

    def step(self, inputs: Tensor, targets: Targets, seen: int) -> None:
        rates = [fit.optimisation.rate(seen) for fit in self.fits]
        self.total = self.total + self.heads.step(inputs, targets, rates) * len(inputs)

    def end_epoch(self, rows: int, choosing: dict[str, Selection], logits: np.ndarray | None) -> None:
        """logits: [N, C, J] of the selection rows; heads that are over leave the stack."""
        for i, (fit, total) in enumerate(zip(self.fits, self.total.tolist())):
            own = None if logits is None else np.ascontiguousarray(logits[:, :, i])
            fit.end_epoch(total / rows, choosing.get(fit.spec.keep), own, lambda i=i: self.heads.state(i))
        going = [i for i, fit in enumerate(self.fits) if not fit.is_finished]
        if 0 < len(going) < len(self.fits):
            self.heads.keep(going)
        self.fits, self.total = [self.fits[i] for i in going], 0.0


def _train_groups(
    tiles: list[_HeadGroup],
    standardise: torch.nn.Module,
    device: torch.device,
    choosing: dict[str, Selection],
    batches: Callable[[int], Iterator[tuple[Tensor, Targets]]],
) -> None:
    epoch, seen = 0, 0
    while tiles:
        before = seen
        for inputs, targets in batches(epoch):
            with torch.no_grad():
                inputs = standardise(inputs)
            for tile in tiles:
                tile.step(inputs, targets, seen)
            seen += len(inputs)
        logits = _compute_selection_logits(tiles, standardise, device, next(iter(choosing.values()), None))
        for tile, own in zip(tiles, logits):
            tile.end_epoch(seen - before, choosing, own)
        tiles = [tile for tile in tiles if tile.fits]
        epoch += 1


@torch.no_grad()
def _compute_selection_logits(
    tiles: list[_HeadGroup], standardise: torch.nn.Module, device: torch.device, selection: Selection | None
) -> list[np.ndarray | None]:
    """For each tile float32 [N, C, J]; the rows are read once for all of them."""
    if selection is None:
        return [None] * len(tiles)
    found: list[list[Tensor]] = [[] for _ in tiles]
    for block in selection.batches(Shard()):
        inputs = standardise(block.to(device))
        for tile, logits in zip(tiles, found):
            logits.append(tile.heads.logits(inputs).cpu())
    return [torch.cat(logits).numpy() for logits in found]


def _iter_batches(
    matrix: Matrix, targets: Targets, size: int, seed: int, epoch: int, device: torch.device
) -> Iterator[tuple[Tensor, Targets]]:
    for rows, features in matrix.batches(size, seed, epoch):
        index = torch.from_numpy(np.asarray(rows, np.int64))
        yield (
            torch.from_numpy(features).to(device),
            {name: (target[index].to(device), valid[index].to(device)) for name, (target, valid) in targets.items()},
        )
