"""Train heads that differ only in learning rate, l2, epochs, schedule and `keep`, on the same batches.

The heads may have different numbers of epochs and select different epochs. Each equals the head trained alone, up to
rounding (1e-5). Lightning is not used, because all heads of one fit would have to share the loss, the optimizer step
and the last epoch.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
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

    See `harness.training.heads.train.train_head` for the parameters that are not described here.

    Parameters
    ----------
    specs : sequence of HeadTrainingSpec
        Their configurations differ only in `PER_HEAD_SETTINGS`.
    device : str
        Device of torch.

    Returns
    -------
    list of TrainedHead or None
        One head per spec; None if the loss or the outputs of that head stopped being finite. The training time is
        divided equally among the heads.

    Raises
    ------
    InputError
        If the configurations differ in other settings, or in the cases in which `train_head` raises it.
    FramelightError
        If features are not finite.
    """
    started = time.perf_counter()
    config, (matrix, labels) = specs[0].config, training
    if any(without_per_head_settings(spec.config) != without_per_head_settings(config) for spec in specs):
        raise InputError(
            "heads that are trained together differ in more than learning_rate, l2, epochs, schedule and keep; "
            "train them separately"
        )
    for spec in specs:
        check_task_support(spec.config, task)
    check_trainable(task, labels, matrix)
    loss = make_losses(task, config, matrix, labels)
    with torch.random.fork_rng(devices=[]):
        head = initialize_head(task, config, matrix, labels, seed)
    fits = [_HeadProgress(spec, len(matrix.rows)) for spec in specs]
    selections = (
        {}
        if selection is None
        else {
            keep: make_selection(task, keep, *selection, copy.deepcopy(loss)) for keep in {spec.keep for spec in specs}
        }
    )
    torch_device = torch.device(device)
    size = max_ensemble_size(head, torch_device)
    groups = [
        _HeadGroup(make_ensemble(head, [fit.spec.config.l2 for fit in part], loss.to(torch_device), torch_device), part)
        for part in (fits[start : start + size] for start in range(0, len(fits), size))
    ]
    targets = make_targets(task, labels)
    _train_groups(
        groups,
        head.standardise.to(torch_device),
        torch_device,
        selections,
        lambda epoch: _iter_batches(matrix, targets, config.batch_size, seed, epoch, torch_device),
    )
    share = (time.perf_counter() - started) / len(fits)
    return [fit.to_trained_head(task, matrix.width, share) for fit in fits]


@dataclass
class _HeadProgress:
    """State of the training of one head."""

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
        self.optimizer_config = OptimizerConfig(
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
        """End an epoch: extend the history and, if needed, store the weights.

        They are stored if this epoch is the best so far, or if those of the last epoch are to be returned. `loss` is
        the mean loss of the epoch, and `logits` [N, C] are the logits of the selection rows. If the loss or a logit is
        not finite, the training has failed.
        """
        self.failed = not math.isfinite(loss) or (logits is not None and not np.isfinite(logits).all())
        if self.failed:
            return
        self.history.append({"epoch": len(self.history) + 1, "loss": loss})
        if selection is None or self._update_best(selection, logits):
            self.epoch, self.state = len(self.history), state()

    def _update_best(self, selection: Selection, logits: np.ndarray | None) -> bool:
        assert logits is not None
        entry = self.history[-1]
        criterion = selection.evaluate(logits, entry)
        better = criterion > self.best or selection.keep == "last"
        self.best = max(self.best, criterion)
        on_epoch = self.spec.on_epoch
        self.pruned = bool(on_epoch and on_epoch(len(self.history), entry["value"]))
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
    """Heads that are trained together, and the state of each."""

    heads: HeadEnsemble
    fits: list[_HeadProgress]
    total: Tensor | float = 0.0
    """Sum of the losses of this epoch's rows; shape [J], one value for each head."""

    def step(self, inputs: Tensor, targets: Targets, seen: int) -> None:
        rates = [fit.optimizer_config.rate(seen) for fit in self.fits]
        self.total = self.total + self.heads.step(inputs, targets, rates) * len(inputs)

    def end_epoch(self, rows: int, selections: dict[str, Selection], logits: np.ndarray | None) -> None:
        """Evaluate the logits [N, C, J] of the selection rows and remove heads that are finished."""
        assert isinstance(self.total, Tensor)
        for i, (fit, total) in enumerate(zip(self.fits, self.total.tolist())):
            head_logits = None if logits is None else np.ascontiguousarray(logits[:, :, i])
            fit.end_epoch(total / rows, selections.get(fit.spec.keep), head_logits, partial(self.heads.state, i))
        running = [i for i, fit in enumerate(self.fits) if not fit.is_finished]
        if 0 < len(running) < len(self.fits):
            self.heads.keep(running)
        self.fits, self.total = [self.fits[i] for i in running], 0.0


def _train_groups(
    groups: list[_HeadGroup],
    standardize: torch.nn.Module,
    device: torch.device,
    selections: dict[str, Selection],
    batches: Callable[[int], Iterator[tuple[Tensor, Targets]]],
) -> None:
    epoch, seen = 0, 0
    while groups:
        seen_before = seen
        for inputs, targets in batches(epoch):
            with torch.no_grad():
                inputs = standardize(inputs)
            for group in groups:
                group.step(inputs, targets, seen)
            seen += len(inputs)
        logits = _compute_selection_logits(groups, standardize, device, next(iter(selections.values()), None))
        for group, group_logits in zip(groups, logits):
            group.end_epoch(seen - seen_before, selections, group_logits)
        groups = [group for group in groups if group.fits]
        epoch += 1


@torch.no_grad()
def _compute_selection_logits(
    groups: list[_HeadGroup], standardize: torch.nn.Module, device: torch.device, selection: Selection | None
) -> list[np.ndarray | None]:
    """Compute float32 logits [N, C, J] for each group, reading the selection rows once for all of them."""
    if selection is None:
        return [None] * len(groups)
    blocks: list[list[Tensor]] = [[] for _ in groups]
    for block in selection.batches(Shard()):
        inputs = standardize(block.to(device))
        for group, group_blocks in zip(groups, blocks):
            group_blocks.append(group.heads.logits(inputs).cpu())
    return [torch.cat(group_blocks).numpy() for group_blocks in blocks]


def _iter_batches(
    matrix: Matrix, targets: Targets, size: int, seed: int, epoch: int, device: torch.device
) -> Iterator[tuple[Tensor, Targets]]:
    for rows, features in matrix.batches(size, seed, epoch):
        index = torch.from_numpy(np.asarray(rows, np.int64))
        yield (
            torch.from_numpy(features).to(device),
            {name: (target[index].to(device), valid[index].to(device)) for name, (target, valid) in targets.items()},
        )
