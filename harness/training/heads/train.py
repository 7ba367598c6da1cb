"""Train a head on cached features."""

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
from harness.training.losses import Targets
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from harness.data.dataset import Labels

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
    """A head to train, and for how long.

    Attributes
    ----------
    config : HeadConfig
    on_epoch : callable or None
        If there are selection rows, `on_epoch(epoch, value)` is called after each epoch. `epoch` counts from 1; `value`
        is the task's metric on the selection rows. Returning True ends the training (see `TrainedHead.pruned`).
    epochs : int or None
        Stop after this many epochs and return the last weights. The schedule of the learning rate is still that of
        `config.epochs`. None trains `config.epochs` epochs and selects one by `config.keep`.
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
        """The epoch whose weights are returned; see `HeadConfig.keep`."""
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
        Features, and the labels that the matrix's `rows` indexes.
    selection : tuple of (Matrix, Labels) or None
        Rows that select the epoch. Without them the weights of the last epoch are returned.
    seed : int
        Seed of the initial weights and of the order of the rows.
    accelerator : str
        Accelerator of Lightning's Trainer.

    Returns
    -------
    TrainedHead
        On the CPU, the same arguments and the same number of threads give weights that are identical to the bit.

    Raises
    ------
    InputError
        If an output has no labeled training row, if all training rows have the same expression, if no selection row has
        a crop, if the kind of the head is `separate`, or if the task lacks the metric that selects the epoch.
    FramelightError
        If features or the loss are not finite.
    """
    from harness.training import lightning_module, trainer

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
        targets = make_targets(task, labels)
        fitted = trainer.fit(
            model,
            lambda epoch, _: _iter_batches(matrix, targets, config.batch_size, seed, epoch),
            {"accelerator": accelerator, "max_epochs": spec.length},
        )
    state = {name.removeprefix("head."): value.numpy() for name, value in fitted.state.items()}
    history = [{name: entry[name] for name in HISTORY_KEYS if name in entry} for entry in fitted.history]
    return TrainedHead(
        state, config, task.name, matrix.width, fitted.epoch, history, time.perf_counter() - started, fitted.stopped
    )


def initialize_head(task: tasks.Task, config: HeadConfig, matrix: Matrix, labels: Labels, seed: int) -> modules.Head:
    """Create a head with its initial weights and standardization.

    Seeds torch's global generator and leaves it in the state after the weights were drawn.

    Raises
    ------
    FramelightError
        If features are not finite.
    """
    torch.manual_seed(seed)
    head = modules.build_head(config, matrix.width, task)
    mean, deviation = feature_mean_std(matrix, labels)
    if config.standardise:
        head.standardise.set_statistics(mean, deviation)
    return head


def check_trainable(task: tasks.Task, labels: Labels, matrix: Matrix) -> None:
    """Check the training rows.

    Raises
    ------
    InputError
        If an output of the task has no row with both a crop and a label, or if all such rows have the same expression.
    """
    valid = {name: mask[matrix.rows] for name, mask in task.valid(labels.targets).items()}
    for output in task.outputs:
        if not valid[output.name].any():
            raise InputError(
                f"cannot train {task.name}: none of the {len(labels)} annotated rows has both "
                f"a crop and a {output.name} label; check the dataset's images and annotations"
            )
        if output.name == "expr":
            classes = np.unique(labels.targets["expr"][matrix.rows][valid["expr"]])
            if len(classes) < 2:
                raise InputError(
                    f"all training rows have the expression {tasks.EXPRESSIONS[classes[0]]}, but a classifier needs "
                    "two; add videos with another expression"
                )


def make_losses(task: tasks.Task, config: HeadConfig, matrix: Matrix, labels: Labels) -> losses.BlockLosses:
    """Create the losses of a head; their weights are computed from the targets of the rows of `matrix`."""
    loss_config = losses.LossConfig(**{f.name: getattr(config, f.name) for f in dataclasses.fields(losses.LossConfig)})
    return losses.make_task_losses(task, {n: v[matrix.rows] for n, v in labels.targets.items()}, loss_config)


def make_targets(task: tasks.Task, labels: Labels) -> Targets:
    """Convert the targets and masks of all rows of `labels` to tensors."""
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
    """Create the `Selection` that evaluates every epoch on the rows of `matrix`.

    Parameters
    ----------
    task : Task
    keep : {"best", "accuracy", "loss", "last"}
        See `HeadConfig`.
    matrix : Matrix
    labels : Labels
        Labels that `matrix.rows` indexes.
    loss : BlockLosses
        Losses with weights from the training rows. Must be a copy of the losses of the training, which changes their
        device and dtype.
    on_epoch : callable, optional
        See `HeadTrainingSpec`.

    Raises
    ------
    InputError
        If the matrix has no row.
    """
    from harness.metrics.pooled_scores import score
    from harness.metrics.unit_statistics import StatisticsAccumulator

    rows = matrix.rows
    if not len(rows):
        raise InputError(
            f"cannot select the epoch of {task.name}: no selection row has a crop; check the dataset's images"
        )
    accumulator = StatisticsAccumulator(
        task,
        {name: values[rows] for name, values in labels.targets.items()},
        unit=np.zeros(len(rows), np.int64),
        units=1,
    )
    targets = {name: (target[rows], valid[rows]) for name, (target, valid) in make_targets(task, labels).items()}

    def metric(name: str) -> Callable[[np.ndarray], float]:
        return lambda logits: score(accumulator(task.activate(logits))).metrics[name]

    def negative_loss(logits: np.ndarray) -> float:
        """Compute minus the loss of all rows together, without the l2 term."""
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
