"""Stage that trains a backbone to recognize expressions and, optionally, valence, arousal and action units."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from harness.data.stills import Stills
from harness.data.stratification import stratified_group_split
from harness.metrics import tasks
from harness.metrics.scores import ccc, p_au
from harness.training import losses
from harness.training.backbones import evaluation
from harness.training.backbones.expression_targets import ExpressionTargets
from harness.training.backbones.images import ImageSet
from harness.training.backbones.loader import BalancedOrder, ShuffledOrder
from harness.training.backbones.session import Session
from harness.training.backbones.stage_config import Expressions
from harness.training.backbones.stages import Stage, StageResult, train_stage
from harness.utils.errors import InputError
from harness.utils.text import plural

logger = logging.getLogger(__name__)

NAME = "expressions"

OUTPUT_NAMES = {"va": "valence and arousal", "au": "all twelve action units"}


@dataclass(frozen=True)
class ExpressionEvaluation:
    """Evaluation of a trained backbone on the validation images.

    If no validation image has an expression, `confusion` and `errors` are computed on the images that select the epoch.

    Attributes
    ----------
    metrics : dict of str to float
    classes : tuple of str
    confusion : ndarray of int64, shape (C, C)
        Counts, with true classes in rows.
    errors : tuple of Misclassification
        Misclassified images, the most confident errors first.
    """

    metrics: dict[str, float]
    classes: tuple[str, ...]
    confusion: np.ndarray
    errors: tuple[evaluation.Misclassification, ...]


def train_expressions(session: Session, config: Expressions) -> tuple[ExpressionEvaluation, StageResult]:
    """Train the backbone with the cross entropy of the expressions and the losses of the additional outputs."""
    seed, stills = session.config.seed, session.train.stills
    label_map = ExpressionTargets.from_stills(config, stills)
    for block in sorted(set(config.also) - set(label_map.also)):
        logger.info(f"no training image has {OUTPUT_NAMES[block]}; training on expressions without them")
    targets = label_map.targets(stills)
    if config.held_out:
        held_out = _selection_mask(label_map, stills, config.held_out, seed)
        image_set, selection_rows = session.train_resized, np.flatnonzero(held_out & targets["expr"][1])
    else:
        held_out = np.zeros(len(stills), bool)
        image_set, selection_rows = _validation_rows(session, label_map)
    fit_rows = np.flatnonzero(~held_out & np.logical_or.reduce([valid for _, valid in targets.values()]))
    labels = targets["expr"][0][fit_rows]
    _check_two_classes(labels)
    truth = label_map.labels(image_set.stills)[selection_rows]
    if len(np.unique(truth)) < 2:
        logger.warning(
            f"the {len(truth)} images that select the epoch contain fewer than two expression classes, so the "
            "selection is nearly arbitrary; change expressions.held_out or add images"
        )
    loader = session.make_loader(
        fit_rows,
        _to_tensors(targets, fit_rows),
        BalancedOrder(labels, seed + 1) if config.sampling == "balanced" else ShuffledOrder(len(fit_rows), seed + 1),
    )
    metric = evaluation.macro_f1 if config.keep == "macro_f1" else evaluation.accuracy

    def score(outputs: np.ndarray) -> float:
        return metric(label_map.confusion_matrix(truth, outputs))

    stage = Stage(
        NAME,
        label_map.columns,
        loader,
        _make_losses(label_map, config, targets, fit_rows),
        config.schedule,
        image_set,
        selection_rows,
        score,
        config.keep.replace("macro_f1", "macro F1"),
        seed + 2,
    )
    result = train_stage(session, stage)
    selection_metrics = {f"selection_{config.keep}": result.value} if config.held_out else {}
    return _evaluate(session, label_map, image_set, selection_rows, selection_metrics), result


def _selection_mask(label_map: ExpressionTargets, stills: Stills, share: float, seed: int) -> np.ndarray:
    """Return a mask of all images of held-out subjects, who have about `share` of the labeled images."""
    labeled = np.flatnonzero(label_map.labels(stills) >= 0)
    names = [stills.subjects[subject] for subject in stills.subject[labeled].tolist()]
    if len(set(names)) < 2:
        raise InputError(
            f"the training images with an expression show {plural(len(set(names)), 'subject')}, but two are needed to "
            "hold out one and select the epoch on it: set expressions.held_out=0 to select on the validation images"
        )
    held_out = np.zeros(len(stills), bool)
    held_out[labeled[stratified_group_split(names, names, share, seed)]] = True
    return np.isin(stills.subject, stills.subject[held_out])


def _validation_rows(session: Session, label_map: ExpressionTargets) -> tuple[ImageSet, np.ndarray]:
    """Return the validation images, and the rows of those that have an expression."""
    rows = _labeled_rows(session.validation, label_map)
    if session.validation is None or not len(rows):
        raise InputError(
            "no validation image has an expression, but with expressions.held_out=0 the validation images select the "
            "epoch: set expressions.held_out to a share of the training images"
        )
    return session.validation, rows


def _labeled_rows(image_set: ImageSet | None, label_map: ExpressionTargets) -> np.ndarray:
    if image_set is None:
        return np.empty(0, np.int64)
    return np.flatnonzero(label_map.labels(image_set.stills) >= 0)


def _check_two_classes(labels: np.ndarray) -> None:
    count = len(np.unique(labels[labels >= 0]))
    if count < 2:
        raise InputError(f"the training images have {plural(count, 'expression')}, and training needs two: add images")


def _to_tensors(
    targets: dict[str, tuple[np.ndarray, np.ndarray]], rows: np.ndarray
) -> dict[str, tuple[Tensor, Tensor]]:
    return {
        name: (torch.from_numpy(target[rows]), torch.from_numpy(valid[rows]))
        for name, (target, valid) in targets.items()
    }


def _make_losses(
    label_map: ExpressionTargets, config: Expressions, targets: dict[str, Any], rows: np.ndarray
) -> losses.BlockLosses:
    weights = class_weights(targets["expr"][0][rows], len(label_map.classes), config.weight_limit)
    if config.sampling == "balanced":
        weights = np.ones(len(label_map.classes))
    blocks: dict[str, nn.Module] = {"expr": losses.CrossEntropy(weights, config.label_smoothing)}
    if "va" in label_map.also:
        blocks["va"] = losses.OneMinusCCC(linear=True)
    if "au" in label_map.also:
        blocks["au"] = losses.BinaryCrossEntropy.from_labels(targets["au"][0][rows])
    return losses.BlockLosses(blocks, label_map.slices)


def class_weights(labels: np.ndarray, classes: int, limit: float) -> np.ndarray:
    """Compute class weights that are inversely proportional to the counts, with a mean of 1 over the labeled rows.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Class numbers; -1 for rows without a label.
    classes : int
        Number of classes.
    limit : float
        Largest weight relative to the weight of the most frequent class.

    Returns
    -------
    ndarray of shape (classes,)
        0 for a class that does not occur.
    """
    weights = np.minimum(tasks.expression_weights(labels)[:classes], limit)
    return weights / weights[labels[labels >= 0]].mean()


def _evaluate(
    session: Session,
    label_map: ExpressionTargets,
    image_set: ImageSet,
    rows: np.ndarray,
    selection_metrics: dict[str, float],
) -> ExpressionEvaluation:
    """Evaluate the validation images, or the given rows if no validation image has an expression."""
    validation = session.validation if len(_labeled_rows(session.validation, label_map)) else None
    if validation is not None:
        image_set = validation
        rows = np.flatnonzero(np.logical_or.reduce(list(label_map.valid(image_set.stills).values())))
    scores = evaluation.compute_outputs(session, image_set, rows)[1]
    stills = image_set.stills.take(rows)
    labeled = np.flatnonzero(label_map.labels(stills) >= 0)
    truth, logits = label_map.labels(stills)[labeled], scores[labeled, : len(label_map.classes)]
    counts = label_map.confusion_matrix(truth, logits)
    metrics = {"expression_classes": int((counts.sum(axis=1) > 0).sum()), **selection_metrics}
    if validation is not None:
        metrics |= {
            "expression_macro_f1": evaluation.macro_f1(counts),
            "expression_accuracy": evaluation.accuracy(counts),
            **_score_additional_outputs(label_map, stills, scores),
        }
    errors = evaluation.most_confident_errors([stills.images[row] for row in labeled], truth, logits, label_map.classes)
    return ExpressionEvaluation(metrics, label_map.classes, counts, errors)


def _score_additional_outputs(label_map: ExpressionTargets, stills: Stills, scores: np.ndarray) -> dict[str, float]:
    """Compute the CCC of valence and arousal, and the mean F1 of action units.

    An action unit is predicted to be present if its logit is at least 0. Images with these labels count even if they
    have no expression.
    """
    metrics: dict[str, float] = {}
    valid = label_map.valid(stills)
    if "va" in label_map.also and stills.va is not None and valid["va"].sum() >= 2:
        truth, predicted = stills.va[valid["va"]], scores[valid["va"], label_map.slices["va"]]
        metrics |= {name: ccc(truth[:, column], predicted[:, column]) for column, name in enumerate(("CCC_V", "CCC_A"))}
    if "au" in label_map.also and stills.au is not None and valid["au"].any():
        metrics["P_AU"] = p_au(stills.au, (scores[:, label_map.slices["au"]] >= 0).astype(np.int8))
    return metrics
