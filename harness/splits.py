"""The two kinds of split: what is fitted and selected on, and what is reported."""

from __future__ import annotations

import numpy as np

from harness.data.dataset import Dataset, Labels
from harness.identity import digest
from harness.recipes.recipe import Protocol
from harness.selection import held_out

TRAINING = "train"
REPORTED = "validation"
SELECTION = "selection"
"""A slice of the training videos (`held-out`) or the reported split itself (`published`)."""


def fit_and_selection(protocol: Protocol, training: Labels) -> tuple[Labels, Labels | None]:
    """The rows to fit on and the rows to choose on; None where the protocol chooses on the reported split itself."""
    if protocol.name == "published":
        return training, None
    selected = held_out(training.units, training.groups, protocol.fraction, protocol.seed)
    chosen = selected[training.unit]
    return _narrowed(training, ~chosen), _narrowed(training, chosen)


def annotations_digest(dataset: Dataset, task: str) -> str:
    """Hash of the annotation files of both splits; no label is read for it."""
    return digest([dataset.labels_digest(task, split) for split in (TRAINING, REPORTED)])


def _narrowed(labels: Labels, rows: np.ndarray) -> Labels:
    """The rows, with only the sequence names that they still use."""
    taken = labels.take(np.flatnonzero(rows))
    used, sequence = np.unique(taken.sequence, return_inverse=True)
    return Labels(tuple(labels.sequences[i] for i in used), sequence.astype(np.int32), taken.frame,
                  taken.units, taken.unit, taken.groups, taken.targets)
