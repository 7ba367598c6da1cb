"""The two steps of backbone training, each a fit of the same Lightning module with the backbone inside."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from harness import tasks
from harness.errors import InputError
from harness.learning import losses
from harness.learning.lightning import Fitted, FrameModel, Optimisation, Selection, fit
from harness.pretraining.config import StillsConfig
from harness.pretraining.pictures import Batches, Pictures, plain_batches, targets_of

if TYPE_CHECKING:
    from backbones import Backbone

Say = Callable[[str], None]

HELD_OUT = 0.1
"""Share of each subject's stills that measure how well identities are learned."""

WARMUP = 0.1
CLIP = 5.0


def learn_identities(config: StillsConfig, backbone: Backbone, pictures: Pictures, say: Say) -> dict[str, float]:
    """Cross entropy of the backbone's own scores, set to the subjects that have enough stills.

    The accuracy is that on held-out stills of the same subjects.
    """
    counts = np.bincount(pictures.subject, minlength=len(pictures.subjects))
    known = np.flatnonzero(counts >= config.identity_images)
    if len(known) < 2:
        raise InputError(f"{len(known)} subjects have {config.identity_images} stills or more; identities need two: "
                         "set identity_epochs=0 or a lower identity_images")
    label = np.full(len(counts), -1)
    label[known] = np.arange(len(known))
    rows = np.flatnonzero(label[pictures.subject] >= 0)
    held = _held_out(pictures.subject[rows], config.seed)
    learned, kept = rows[~held], rows[held]
    target = torch.from_numpy(label[pictures.subject])

    def accuracy(logits: np.ndarray) -> float:
        return float((logits.argmax(axis=1) == target[kept].numpy()).mean())

    batches = Batches(pictures.images[learned], backbone.spec.preprocessing,
                      {"identity": (target[learned], torch.ones(len(learned), dtype=torch.bool))},
                      config.batch_size, config.seed, config.augmentation)
    backbone.set_classes([pictures.subjects[subject] for subject in known], config.seed)
    loss = losses.CrossEntropy(np.ones(len(known)), config.label_smoothing)
    model = FrameModel(
        nn.Identity(), losses.BlockLosses({"identity": loss}, {"identity": slice(0, len(known))}),
        _optimisation(config, config.identity_epochs, config.identity_learning_rate, batches), backbone, "scores")
    fitted = _fit(model, batches, pictures.images[kept], accuracy, "identities", "accuracy", say)
    return {"identity_accuracy": fitted.history[fitted.epoch - 1]["value"], "identities": len(known)}


def _held_out(subject: np.ndarray, seed: int) -> np.ndarray:
    """bool [N]: of every subject at least one still and about HELD_OUT of them, never all."""
    order = np.lexsort((np.random.default_rng(seed).random(len(subject)), subject))
    sizes = np.bincount(subject)[subject[order]]
    start = np.searchsorted(subject[order], subject[order])
    held = np.zeros(len(subject), bool)
    held[order] = np.arange(len(subject)) - start < np.maximum(1, np.round(HELD_OUT * sizes))
    return held


class ScoresBeside(nn.Module):
    """[N, D + K] embeddings and scores -> the scores as they are, then linear outputs on the embeddings."""

    def __init__(self, width: int, extra: int) -> None:
        super().__init__()
        self.width = width
        self.extra = nn.Linear(width, extra) if extra else None

    def forward(self, features: Tensor) -> Tensor:
        scores = features[:, self.width:]
        return scores if self.extra is None else torch.cat([scores, self.extra(features[:, :self.width])], dim=1)


def learn_expressions(config: StillsConfig, backbone: Backbone, train: Pictures, validation: Pictures, say: Say
                      ) -> dict[str, float]:
    """Weighted cross entropy of the backbone's own scores, set to the eight expressions, and auxiliary targets."""
    backbone.set_classes(tasks.EXPRESSIONS, config.seed)
    beside = [output for output in (tasks.VA, tasks.AU) if config.auxiliary and _labelled(train, output)]
    task = tasks.Task("stills", (tasks.EXPR, *beside), tasks.EXPR.metric)
    train = train.take(_any_label(train, task))
    validation = validation.take(tasks.EXPR.valid(validation.targets["expr"]))
    _require_expressions(train, validation)
    batches = Batches(train.images, backbone.spec.preprocessing, targets_of(train, task.outputs), config.batch_size,
                      config.seed + 1, config.augmentation)
    learned = losses.of_task(task, train.targets)
    learned.losses["expr"] = losses.CrossEntropy(_weights(config, train.targets["expr"]), config.label_smoothing)
    model = FrameModel(
        ScoresBeside(backbone.embedding_width, task.width - len(tasks.EXPRESSIONS)), learned,
        _optimisation(config, config.expression_epochs, config.expression_learning_rate, batches), backbone,
        "embeddings+scores")
    truth = validation.targets["expr"]

    def macro_f1(logits: np.ndarray) -> float:
        return present_f1(truth, logits[:, :len(tasks.EXPRESSIONS)].argmax(axis=1))

    fitted = _fit(model, batches, validation.images, macro_f1, "expressions", "macro F1", say)
    return {"expression_macro_f1": fitted.history[fitted.epoch - 1]["value"], "expression_classes":
            len(np.unique(truth))}


def present_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean F1 over the expressions that the labels hold."""
    from harness.metrics import confusion, expression_f1

    counts = confusion(truth * len(tasks.EXPRESSIONS) + predicted, 1)[0]
    return float(expression_f1(counts)[0][np.unique(truth)].mean())


def _labelled(pictures: Pictures, output: tasks.Output) -> bool:
    return output.name in pictures.targets and bool(output.valid(pictures.targets[output.name]).any())


def _any_label(pictures: Pictures, task: tasks.Task) -> np.ndarray:
    return np.logical_or.reduce(list(task.valid(pictures.targets).values()))


def _require_expressions(train: Pictures, validation: Pictures) -> None:
    seen = np.unique(train.targets["expr"][train.targets["expr"] >= 0])
    if len(seen) < 2:
        raise InputError(f"the training stills have {len(seen)} expressions; learning them needs two at least")
    if not len(validation):
        raise InputError("no validation still has an expression; the best epoch cannot be chosen")


def _weights(config: StillsConfig, labels: np.ndarray) -> np.ndarray:
    """[8] class weights of the rarest capped at `weight_limit` times the commonest's; their mean over rows is 1."""
    weights = np.minimum(tasks.expression_weights(labels), config.weight_limit)
    return weights / weights[labels[labels >= 0]].mean()


def _optimisation(config: StillsConfig, epochs: int, rate: float, batches: Batches) -> Optimisation:
    return Optimisation(epochs, batches.rows, rate, warmup=WARMUP, weight_decay=config.weight_decay, clip=CLIP)


def _fit(model: FrameModel, batches: Batches, images: np.ndarray, score: Callable[[np.ndarray], float],
         step: str, metric: str, say: Say) -> Fitted:
    """Fit and leave the best epoch's weights in the model."""
    def told(epoch: int, value: float) -> bool:
        say(f"{step}: epoch {epoch} of {model.optimisation.epochs}, loss {model.fitted.history[-1]['loss']:.3f}, "
            f"{metric} {value:.3f}")
        return False

    model.selection = Selection(lambda _: plain_batches(images, batches.preprocessing), score, on_epoch=told)
    model.to(memory_format=torch.channels_last)
    fitted = fit(model, lambda epoch, _: batches.epoch(epoch))
    model.load_state_dict(fitted.state)
    return fitted
