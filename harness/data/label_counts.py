"""Counts of a split's labels: how many rows, how many valid, how many with a crop, and how they are spread."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from harness.data.dataset import Labels
from harness.metrics.tasks import ACTION_UNITS, AFFECTS, EXPRESSIONS, Output, get_task


@dataclass(frozen=True)
class LabelCounts:
    """One output block (`expr`, `va`, `au`) of one task and split.

    units: videos or subjects; rows: annotated rows; valid: those whose label counts; cropped: valid rows with a crop.
    spread: over valid rows, by class or action unit its count, by valence or arousal (min, max, mean, deviation).
    """

    task: str
    split: str
    output: str
    units: int
    rows: int
    valid: int
    cropped: int
    spread: Mapping[str, int | tuple[float, float, float, float]]

    @property
    def coverage(self) -> float:
        """Share of valid rows that have a crop; 0 where there are none."""
        return self.cropped / self.valid if self.valid else 0.0


def count_labels(task: str, split: str, labels: Labels, crops: Mapping[str, np.ndarray]) -> Iterator[LabelCounts]:
    """Counts of each output block; crops: for each sequence, the ascending frame numbers that have a crop."""
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
    """Bool [N]: rows whose frame has a crop."""
    held = [np.int64(i) << 32 | crops[name].astype(np.int64) for i, name in enumerate(labels.sequences)]
    row = labels.sequence.astype(np.int64) << 32 | labels.frame
    return np.isin(row, np.concatenate(held)) if held else np.zeros(len(labels), bool)


def _label_distribution(output: Output, target: np.ndarray) -> dict:
    if output.name == "expr":
        return dict(zip(EXPRESSIONS, np.bincount(target, minlength=len(EXPRESSIONS)).tolist()))
    if output.name == "au":
        return dict(zip(ACTION_UNITS, target.sum(axis=0, dtype=np.int64).tolist()))
    if not len(target):
        return {}
    exact = target.astype(np.float64)
    columns = zip(exact.min(axis=0), exact.max(axis=0), exact.mean(axis=0), exact.std(axis=0))
    return {name: tuple(map(float, column)) for name, column in zip(AFFECTS, columns)}
