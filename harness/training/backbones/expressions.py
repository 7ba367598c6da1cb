"""Learning which expression a still shows, and with it valence, arousal and action units."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from harness.data.stills import Stills
from harness.data.stratification import stratified_group_split
from harness.metrics import tasks
from harness.metrics.scores import ccc, p_au
from harness.training import losses
from harness.training.backbones import evaluation
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import BalancedOrder, ShuffledOrder
from harness.training.backbones.stage_config import Expressions
from harness.training.backbones.stages import Session, Stage, StageResult, train_stage
from harness.utils.errors import InputError

logger = logging.getLogger(__name__)

NAME = "expressions"
BASIC_EXPRESSIONS = frozenset(tasks.EXPRESSIONS[:7])
AFFECTS = ("Valence", "Arousal")
OUTPUTS = {"va": tasks.VA, "au": tasks.AU}
OUTPUT_NAMES = {"va": "valence and arousal", "au": "all twelve action units"}


@dataclass(frozen=True)
class ExpressionEvaluation:
    """Of the validation stills, of the selection slice where no validation still has an expression."""

    metrics: dict[str, float]
    classes: tuple[str, ...]
    confusion: np.ndarray
    errors: tuple[evaluation.Misclassification, ...]


def train_expressions(session: Session) -> tuple[ExpressionEvaluation, StageResult]:
    """Weighted cross entropy of the backbone's own scores and, with `also`, losses of the columns behind them."""
    how, seed = session.config.expressions, session.config.seed
    train = session.train.stills
    course = ExpressionTargets.from_stills(how, train)
    for block in sorted(set(how.also) - set(course.also)):
        logger.info(f"no training still has {OUTPUT_NAMES[block]}; expressions are learned without")
    targets = course.targets(train)
    if how.held_out:
        held = _selection_mask(course, train, how.held_out, seed)
        pictures, choosing = session.plain, np.flatnonzero(held & targets["expr"][1])
    else:
        held = np.zeros(len(train), bool)
        pictures, choosing = _validation_rows(session, course)
    learned = np.flatnonzero(~held & np.logical_or.reduce([valid for _, valid in targets.values()]))
    labels = targets["expr"][0][learned]
    _check_two_classes(labels)
    truth = course.labels(pictures.stills)[choosing]
    if (seen := len(np.unique(truth))) < 2:
        logger.warning(
            f"the {len(truth)} stills that choose the epoch have {seen} expression; "
            "they tell little, see expressions.held_out"
        )
    loader = session.make_loader(
        learned,
        _to_tensors(targets, learned),
        BalancedOrder(labels, seed + 1) if how.sampling == "balanced" else ShuffledOrder(len(learned), seed + 1),
    )
    value = evaluation.macro_f1 if how.keep == "macro_f1" else evaluation.accuracy

    def score(outputs: np.ndarray) -> float:
        return value(course.confusion_matrix(truth, outputs))

    lesson = Stage(
        NAME,
        course.columns,
        loader,
        _make_losses(course, how, targets, learned),
        how.schedule,
        pictures,
        choosing,
        score,
        how.keep.replace("macro_f1", "macro F1"),
        seed + 2,
    )
    outcome = train_stage(session, lesson)
    chose = {f"selection_{how.keep}": outcome.value} if how.held_out else {}
    return _evaluate(session, course, pictures, choosing, chose), outcome


@dataclass(frozen=True)
class ExpressionTargets:
    """The classes that are learned out of those the labels have, and the columns of the classifier."""

    classes: tuple[str, ...]
    number: np.ndarray
    also: tuple[str, ...]

    @classmethod
    def from_stills(cls, how: Expressions, stills: Stills) -> ExpressionTargets:
        """Eight classes, or the seven basic ones; `number` is the new number of each old one, -1 where left out."""
        known = stills.classes
        kept = tuple(name for name in known if how.classes == 8 or name in BASIC_EXPRESSIONS)
        if len(kept) != how.classes:
            raise InputError(f"expressions.classes={how.classes}, but the stills' classes are {', '.join(known)}")
        return cls(
            kept,
            np.array([kept.index(name) if name in kept else -1 for name in known]),
            tuple(block for block in how.also if _label_mask(stills, block).any()),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        more = {"va": AFFECTS, "au": tasks.ACTION_UNITS}
        return self.classes + tuple(name for block in self.also for name in more[block])

    @property
    def slices(self) -> dict[str, slice]:
        ends, found = len(self.classes), {"expr": slice(0, len(self.classes))}
        for block in self.also:
            found[block] = slice(ends, ends + (2 if block == "va" else 12))
            ends = found[block].stop
        return found

    def labels(self, stills: Stills) -> np.ndarray:
        """int64 [N] into `classes`, -1 none."""
        return np.where(stills.expression >= 0, self.number[stills.expression], -1)

    def targets(self, stills: Stills) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Target and bool mask of each block."""
        valid = self.valid(stills)
        return {"expr": (self.labels(stills), valid["expr"])} | {
            block: (getattr(stills, block), valid[block]) for block in self.also
        }

    def valid(self, stills: Stills) -> dict[str, np.ndarray]:
        """Bool [N] for each block: the stills that have its label."""
        return {"expr": self.labels(stills) >= 0} | {block: _label_mask(stills, block) for block in self.also}

    def confusion_matrix(self, truth: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        count = len(self.classes)
        return evaluation.confusion_matrix(truth, outputs[:, :count].argmax(axis=1), count)


def _label_mask(stills: Stills, block: str) -> np.ndarray:
    """Bool [N]: the stills that have this label besides the expression."""
    values = getattr(stills, block)
    return np.zeros(len(stills), bool) if values is None else OUTPUTS[block].valid(values)


def _selection_mask(course: ExpressionTargets, stills: Stills, share: float, seed: int) -> np.ndarray:
    """Bool [N]: all stills of about that share of the training subjects; those with an expression choose the epoch."""
    labelled = np.flatnonzero(course.labels(stills) >= 0)
    names = [stills.subjects[subject] for subject in stills.subject[labelled].tolist()]
    if len(set(names)) < 2:
        raise InputError(
            f"the training stills with an expression are of {len(set(names))} subjects; holding some out "
            "to choose the epoch needs two: set expressions.held_out=0 to choose on the validation stills"
        )
    held = np.zeros(len(stills), bool)
    held[labelled[stratified_group_split(names, names, share, seed)]] = True
    return np.isin(stills.subject, stills.subject[held])


def _validation_rows(session: Session, course: ExpressionTargets) -> tuple[ImageSet, np.ndarray]:
    """The validation pictures and their rows that have an expression; InputError where there is none."""
    rows = _labeled_rows(session.validation, course)
    if not len(rows):
        raise InputError(
            "no validation still has an expression, and expressions.held_out=0 leaves the choice of the "
            "epoch to them: set expressions.held_out to a share of the training stills"
        )
    return session.validation, rows


def _labeled_rows(pictures: ImageSet | None, course: ExpressionTargets) -> np.ndarray:
    return np.flatnonzero(course.labels(pictures.stills) >= 0) if pictures is not None else np.empty(0, np.int64)


def _check_two_classes(labels: np.ndarray) -> None:
    seen = np.unique(labels[labels >= 0])
    if len(seen) < 2:
        raise InputError(f"the training stills have {len(seen)} expressions; learning them needs two at least")


def _to_tensors(
    targets: dict[str, tuple[np.ndarray, np.ndarray]], rows: np.ndarray
) -> dict[str, tuple[Tensor, Tensor]]:
    return {
        name: (torch.from_numpy(target[rows]), torch.from_numpy(valid[rows]))
        for name, (target, valid) in targets.items()
    }


def _make_losses(
    course: ExpressionTargets, how: Expressions, targets: dict[str, Any], rows: np.ndarray
) -> losses.BlockLosses:
    weights = class_weights(targets["expr"][0][rows], len(course.classes), how.weight_limit)
    if how.sampling == "balanced":
        weights = np.ones(len(course.classes))
    blocks = {"expr": losses.CrossEntropy(weights, how.label_smoothing)}
    if "va" in course.also:
        blocks["va"] = losses.OneMinusCCC(linear=True)
    if "au" in course.also:
        blocks["au"] = losses.BinaryCrossEntropy.from_labels(targets["au"][0][rows])
    return losses.BlockLosses(blocks, course.slices)


def class_weights(labels: np.ndarray, classes: int, limit: float) -> np.ndarray:
    """[classes] weights max count / count, the largest `limit`; 0 where there is none; their mean over rows is 1."""
    weights = np.minimum(tasks.expression_weights(labels)[:classes], limit)
    return weights / weights[labels[labels >= 0]].mean()


def _evaluate(
    session: Session, course: ExpressionTargets, pictures: ImageSet, rows: np.ndarray, chose: dict[str, float]
) -> ExpressionEvaluation:
    reported = len(_labeled_rows(session.validation, course)) > 0
    if reported:
        pictures = session.validation
        rows = np.flatnonzero(np.logical_or.reduce(list(course.valid(pictures.stills).values())))
    scores = evaluation.compute_outputs(session, pictures, rows)[1]
    stills = pictures.stills.take(rows)
    shown = np.flatnonzero(course.labels(stills) >= 0)
    truth, said = course.labels(stills)[shown], scores[shown, : len(course.classes)]
    counts = course.confusion_matrix(truth, said)
    found = {"expression_classes": int((counts.sum(axis=1) > 0).sum()), **chose}
    if reported:
        found |= {
            "expression_macro_f1": evaluation.macro_f1(counts),
            "expression_accuracy": evaluation.accuracy(counts),
            **_score_additional_outputs(course, stills, scores),
        }
    errors = evaluation.most_confident_errors([stills.images[row] for row in shown], truth, said, course.classes)
    return ExpressionEvaluation(found, course.classes, counts, errors)


def _score_additional_outputs(course: ExpressionTargets, stills: Stills, scores: np.ndarray) -> dict[str, float]:
    """CCC of the columns behind the classes, and mean F1 of the action units (present above 0), of all stills that
    have them, with an expression or without.
    """
    found, valid = {}, course.valid(stills)
    if "va" in course.also and valid["va"].sum() >= 2:
        said = scores[valid["va"], course.slices["va"]]
        found |= {
            name: ccc(stills.va[valid["va"], column], said[:, column]) for column, name in enumerate(("CCC_V", "CCC_A"))
        }
    if "au" in course.also and valid["au"].any():
        found["P_AU"] = p_au(stills.au, (scores[:, course.slices["au"]] >= 0).astype(np.int8))
    return found
