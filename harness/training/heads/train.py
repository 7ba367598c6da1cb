"""Training a head on cached features: what to learn, which epoch to keep."""

from __future__ import annotations

import copy
import dataclasses
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from harness.metrics import tasks
from harness.training import losses
from harness.training.fit import OptimizerConfig, Selection
from harness.training.heads import modules
from harness.training.heads.config import HeadConfig, check_task_support
from harness.training.heads.standardization import Matrix, feature_mean_std, iter_blocks
from harness.training.heads.trained_head import TrainedHead, predict
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from harness.data.dataset import Labels
    from harness.training.losses import Targets

HISTORY_KEYS = ("epoch", "loss", "value", "criterion")

__all__ = [
    "HeadTrainingSpec",
    "TrainedHead",
    "check_trainable",
    "initialize_head",
    "make_losses",
    "make_selection",
    "make_targets",
    "predict",
    "train_head",
]


@dataclass(frozen=True)
class HeadTrainingSpec:
    """What is trained, and for how long.

    Attributes
    ----------
    config : HeadConfig
    on_epoch : callable or None
        Called after each epoch as `on_epoch(epoch, value)` with the epoch from 1 and the task's metric on the selection
        rows; True ends the training (see `TrainedHead.pruned`).
    epochs : int or None
        Stop after so many of the schedule's `config.epochs`, with the last weights; None trains all of them and keeps
        the epoch that `config.keep` names.
    """

    config: HeadConfig
    on_epoch: Callable[[int, float], bool] | None = None
    epochs: int | None = None

    @property
    def length(self) -> int:
        """Number of epochs to train."""
        return self.config.epochs if self.epochs is None else min(max(self.epochs, 1), self.config.epochs)

    @property
    def keep(self) -> str:
        """Which epoch's weights to return."""
        return self.config.keep if self.epochs is None else "last"


def train_head(
    task: tasks.Task,
    spec: HeadTrainingSpec,
    training: tuple[Matrix, Labels],
    selection: tuple[Matrix, Labels] | None,
    seed: int,
    accelerator: str = "cpu",
) -> TrainedHead:
    """Train a head on cached features.

    Parameters
    ----------
    task : Task
    spec : HeadTrainingSpec
    training : tuple of (Matrix, Labels)
        Features and the labels that the rows of the matrix index.
    selection : tuple of (Matrix, Labels) or None
        Rows that choose the epoch; without them the last epoch is kept.
    seed : int
        Of the initial weights and of the order of the rows.
    accelerator : str
        As Lightning's Trainer takes it.

    Returns
    -------
    TrainedHead
        The same bits for the same arguments and number of threads.

    Raises
    ------
    InputError
        No labeled row, a single class, a head of several networks, or a choice of epoch that the task has no value for.
    FramelightError
        Features or loss are not finite.
    """
    from harness.training import lightning_module

    started = time.perf_counter()
    config, (matrix, labels) = spec.config, training
    check_task_support(config, task)
    check_trainable(task, labels, matrix)
    loss = make_losses(task, config, matrix, labels)
    with torch.random.fork_rng(devices=[]):
        head = initialize_head(task, config, matrix, labels, seed)
        model = lightning_module.FrameModel(
            head,
            loss,
            OptimizerConfig(config.epochs, len(matrix.rows), config.learning_rate, config.schedule, l2=config.l2),
            selection=None
            if selection is None
            else make_selection(task, spec.keep, *selection, copy.deepcopy(loss), spec.on_epoch),
        )
        prepared = make_targets(task, labels)
        fitted = lightning_module.fit(
            model,
            lambda epoch, _: _iter_batches(matrix, prepared, config.batch_size, seed, epoch),
            {"accelerator": accelerator, "max_epochs": spec.length},
        )
    state = {name.removeprefix("head."): value.numpy() for name, value in fitted.state.items()}
    history = [{name: entry[name] for name in HISTORY_KEYS if name in entry} for entry in fitted.history]
    return TrainedHead(
        state, config, task.name, matrix.width, fitted.epoch, history, time.perf_counter() - started, fitted.stopped
    )


def initialize_head(task: tasks.Task, config: HeadConfig, matrix: Matrix, labels: Labels, seed: int) -> modules.Head:
    """The head as training begins; torch's random state is left as the seed and the weights' making leave it.

    FramelightError where features are not finite.
    """
    torch.manual_seed(seed)
    head = modules.build_head(config, matrix.width, task)
    mean, deviation = feature_mean_std(matrix, labels)
    if config.standardise:
        head.standardise.set_statistics(mean, deviation)
    return head


def check_trainable(task: tasks.Task, labels: Labels, matrix: Matrix) -> None:
    """InputError where an output of the task has no row with both a crop and a label, or only one class."""
    valid = {name: mask[matrix.rows] for name, mask in task.valid(labels.targets).items()}
    for output in task.outputs:
        if not valid[output.name].any():
            raise InputError(
                f"nothing to train {task.name} on: none of the {len(labels)} annotated rows has both "
                f"a crop and a {output.name} label"
            )
        if output.name == "expr":
            seen = np.unique(labels.targets["expr"][matrix.rows][valid["expr"]])
            if len(seen) < 2:
                raise InputError(f"every training row is {tasks.EXPRESSIONS[seen[0]]}; a classifier needs two classes")


def make_losses(task: tasks.Task, config: HeadConfig, matrix: Matrix, labels: Labels) -> losses.BlockLosses:
    """The losses as the head's settings say, weighted by the targets of the rows of `matrix`."""
    terms = losses.LossConfig(**{f.name: getattr(config, f.name) for f in dataclasses.fields(losses.LossConfig)})
    return losses.make_task_losses(task, {n: v[matrix.rows] for n, v in labels.targets.items()}, terms)


def make_targets(task: tasks.Task, labels: Labels) -> Targets:
    """Targets and masks of every row of `labels`, as the losses take them."""
    valid = task.valid(labels.targets)
    return {
        o.name: (torch.from_numpy(np.ascontiguousarray(labels.targets[o.name])), torch.from_numpy(valid[o.name]))
        for o in task.outputs
    }


def _iter_batches(matrix: Matrix, targets: Targets, size: int, seed: int, epoch: int) -> Iterator[tuple]:
    for rows, features in matrix.stored_batches(size, seed, epoch):
        index = torch.from_numpy(np.asarray(rows, np.int64))
        yield torch.from_numpy(features), {n: (target[index], valid[index]) for n, (target, valid) in targets.items()}


def make_selection(
    task: tasks.Task,
    keep: str,
    matrix: Matrix,
    labels: Labels,
    loss: losses.BlockLosses,
    on_epoch: Callable[[int, float], bool] | None = None,
) -> Selection:
    """What chooses the epoch on the rows of `matrix`, as `keep` says (see HeadConfig); InputError without a row.

    loss: of the fit rows, a copy that training does not touch.
    """
    from harness.metrics import unit_statistics

    rows = matrix.rows
    if not len(rows):
        raise InputError(f"nothing to choose the epoch of {task.name} on: no selection row has a crop")
    collector = unit_statistics.StatisticsAccumulator(
        task,
        {name: values[rows] for name, values in labels.targets.items()},
        unit=np.zeros(len(rows), np.int64),
        units=1,
    )
    targets = {name: (target[rows], valid[rows]) for name, (target, valid) in make_targets(task, labels).items()}

    def metric(name: str) -> Callable[[np.ndarray], float]:
        return lambda logits: unit_statistics.score(collector(task.activate(logits))).metrics[name]

    def negative_loss(logits: np.ndarray) -> float:
        """Minus the loss of all rows together, without the l2 term."""
        with torch.inference_mode():
            return -float(loss(torch.from_numpy(logits), targets))

    criterion = {"accuracy": metric("accuracy"), "loss": negative_loss}.get(keep)
    return Selection(
        lambda _: (torch.from_numpy(block) for _, block in iter_blocks(matrix)),
        metric(task.metric),
        "last" if keep == "last" else "best",
        on_epoch,
        criterion,
    )
