"""Counts of the labels of a split: rows, valid rows, rows with a crop, and the distribution of the labels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.data.dataset import Labels
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS, Output, get_task


@dataclass(frozen=True)
class LabelCounts:
    """Counts of one output (`expr`, `va`, `au`) of one task and split.

    Attributes
    ----------
    task : str
    split : str
    output : str
    units : int
        Number of videos or subjects.
    rows : int
        Number of annotated rows.
    valid : int
        Number of rows with a valid label.
    cropped : int
        Number of valid rows with a crop.
    spread : mapping of str to int or tuple of float
        Distribution over the valid rows: the count of each class or action unit; for valence and arousal minimum,
        maximum, mean and standard deviation.
    """

    task: str
    split: str
    output: str
    units: int
    rows: int
    valid: int
    cropped: int
    spread: Mapping[str, Any]

    @property
    def coverage(self) -> float:
        """Share of the valid rows that have a crop; 0 without valid rows."""
        return self.cropped / self.valid if self.valid else 0.0


def count_labels(task: str, split: str, labels: Labels, crops: Mapping[str, np.ndarray]) -> Iterator[LabelCounts]:
    """Count the labels of each output of a task.

    Parameters
    ----------
    task : str
    split : str
    labels : Labels
    crops : mapping of str to int array
        Ascending frame numbers with a crop, by sequence name.

    Yields
    ------
    LabelCounts
    """
    cropped = crop_mask(labels, crops)
    for output in get_task(task).outputs:
        target = labels.targets[output.name]
        valid = output.valid(target)
        units = len(np.unique(labels.unit))
        yield LabelCounts(
            task,
            split,
            output.name,
            units,
            len(labels),
            int(valid.sum()),
            int((valid & cropped).sum()),
            _label_distribution(output, target[valid]),
        )


def crop_mask(labels: Labels, crops: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return a bool mask (N,) of the rows whose frame has a crop."""
    keys = [np.int64(i) << 32 | crops[name].astype(np.int64) for i, name in enumerate(labels.sequences)]
    row = labels.sequence.astype(np.int64) << 32 | labels.frame
    return np.isin(row, np.concatenate(keys)) if keys else np.zeros(len(labels), bool)


def _label_distribution(output: Output, target: np.ndarray) -> dict[str, Any]:
    if output.name == "expr":
        return dict(zip(EXPRESSIONS, np.bincount(target, minlength=len(EXPRESSIONS)).tolist()))
    if output.name == "au":
        return dict(zip(ACTION_UNITS, target.sum(axis=0, dtype=np.int64).tolist()))
    if not len(target):
        return {}
    exact = target.astype(np.float64)
    columns = zip(exact.min(axis=0), exact.max(axis=0), exact.mean(axis=0), exact.std(axis=0))
    return {name: tuple(map(float, column)) for name, column in zip(AFFECTS, columns)}
