"""The two kinds of split: what is fitted and selected on, and what is reported."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.dataset import Dataset, Labels
from harness.data.protocol import Protocol
from harness.data.stratification import stratified_group_kfold, stratified_group_split
from harness.metrics.tasks import EXPRESSIONS, Output, Task
from harness.utils.hashing import content_hash

TRAINING = "train"
REPORTED = "validation"
SELECTION = "selection"
"""Training videos held out (`held-out`), or the reported split itself (`published`)."""


@dataclass(frozen=True, eq=False)
class Split:
    """Training videos in two: the rows to fit on, and those to choose on."""

    fit: Labels
    selection: Labels


def make_splits(protocol: Protocol, task: Task, training: Labels) -> tuple[Split, ...]:
    """The divisions that the held-out protocol chooses by: one, or one for each fold.

    The selection rows of folds are all training rows, once each.
    """
    known = (training.units, training.groups)
    if protocol.folds:
        fold = stratified_group_kfold(*known, label_counts_by_unit(task, training), protocol.folds, protocol.seed)
        sides = [fold == number for number in range(protocol.folds)]
    else:
        sides = [stratified_group_split(*known, protocol.fraction, protocol.seed, label_counts_by_unit(task, training))]
    rows = [side[training.unit] for side in sides]
    return tuple(Split(_select_rows(training, ~chosen), _select_rows(training, chosen)) for chosen in rows)


def label_counts_by_unit(task: Task, labels: Labels) -> np.ndarray:
    """int64 [V, K]: of each unit its valid rows of every output, and of them those of every class, action unit and
    quadrant of valence and arousal.
    """
    columns = []
    for output in task.outputs:
        valid = output.valid(labels.targets[output.name])
        traits = _trait_masks(output, labels.targets[output.name][valid])
        columns += [np.bincount(labels.unit[valid][trait], minlength=len(labels.units)) for trait in traits]
    return np.stack(columns, axis=1)


def _trait_masks(output: Output, target: np.ndarray) -> list[np.ndarray]:
    """Bool [N] each: which valid rows have a trait, the first being all of them."""
    everything = np.ones(len(target), bool)
    if output.name == "expr":
        return [everything, *(target == code for code in range(len(EXPRESSIONS)))]
    if output.name == "au":
        return [everything, *(target.T == 1)]
    quadrant = (target >= 0) @ np.array([2, 1])
    return [everything, *(quadrant == code for code in range(4))]


def labels_fingerprint(dataset: Dataset, task: str) -> str:
    """Hash of the annotation files of both splits; no label is read for it."""
    return content_hash([dataset.labels_digest(task, split) for split in (TRAINING, REPORTED)])


def _select_rows(labels: Labels, rows: np.ndarray) -> Labels:
    """The rows, with only the sequence names that they still use."""
    taken = labels.take(np.flatnonzero(rows))
    used, sequence = np.unique(taken.sequence, return_inverse=True)
    return Labels(
        tuple(labels.sequences[i] for i in used),
        sequence.astype(np.int32),
        taken.frame,
        taken.units,
        taken.unit,
        taken.groups,
        taken.targets,
    )
