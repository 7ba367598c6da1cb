"""Names of the splits, and the division of the training split for model selection."""

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
"""Name of the selection split: held-out training videos, or the reported split itself (protocol `published`)."""


@dataclass(frozen=True, eq=False)
class Split:
    """One division of the training split.

    Attributes
    ----------
    fit : Labels
        Rows to fit on.
    selection : Labels
        Rows to select on.
    """

    fit: Labels
    selection: Labels


def make_splits(protocol: Protocol, task: Task, training: Labels, seed: int = 0) -> tuple[Split, ...]:
    """Divide the training split according to the protocol `held-out`, for a job with a given seed.

    Returns
    -------
    tuple of Split
        One division, or one for each fold. With folds, every training row is a selection row exactly once.
    """
    names, counts = (training.units, training.groups), label_counts_by_unit(task, training)
    division = protocol.division_seed(seed)
    if protocol.folds:
        fold = stratified_group_kfold(*names, counts, protocol.folds, division)
        sides = [fold == number for number in range(protocol.folds)]
    else:
        sides = [stratified_group_split(*names, protocol.fraction, division, counts)]
    rows = [side[training.unit] for side in sides]
    return tuple(Split(_select_rows(training, ~held_out), _select_rows(training, held_out)) for held_out in rows)


def label_counts_by_unit(task: Task, labels: Labels) -> np.ndarray:
    """Count the valid rows of each unit, in total and by class.

    Returns
    -------
    int64 array of shape (V, K)
        One row for each of V units. For each output of the task, the columns are the number of valid rows, then the
        number of rows of each class, of each action unit, or of each quadrant of valence and arousal.
    """
    columns = []
    for output in task.outputs:
        valid = output.valid(labels.targets[output.name])
        traits = _trait_masks(output, labels.targets[output.name][valid])
        columns += [np.bincount(labels.unit[valid][trait], minlength=len(labels.units)) for trait in traits]
    return np.stack(columns, axis=1)


def _trait_masks(output: Output, target: np.ndarray) -> list[np.ndarray]:
    """Return a bool mask (N,) of all valid rows, then one for each class, action unit or quadrant."""
    everything = np.ones(len(target), bool)
    if output.name == "expr":
        return [everything, *(target == code for code in range(len(EXPRESSIONS)))]
    if output.name == "au":
        return [everything, *(target.T == 1)]
    quadrant = (target >= 0) @ np.array([2, 1])
    return [everything, *(quadrant == code for code in range(4))]


def labels_fingerprint(dataset: Dataset, task: str) -> str:
    """Return a hash of the annotations of the training and the reported split, without parsing labels."""
    return content_hash([dataset.labels_digest(task, split) for split in (TRAINING, REPORTED)])


def _select_rows(labels: Labels, rows: np.ndarray) -> Labels:
    """Select rows and drop the names of sequences without a selected row."""
    subset = labels.take(np.flatnonzero(rows))
    used, sequence = np.unique(subset.sequence, return_inverse=True)
    return Labels(
        tuple(labels.sequences[i] for i in used),
        sequence.astype(np.int32),
        subset.frame,
        subset.units,
        subset.unit,
        subset.groups,
        subset.targets,
    )
