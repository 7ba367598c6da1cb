"""What every reader gives: sequences of crops, and labelled rows that point into them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class Sequence:
    """The crops of one video (or one block of stills of an image table).

    frames: int32 [T], ascending, 1-based; images: T paths, one for each frame.
    """

    name: str
    frames: np.ndarray
    images: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Labels:
    """The annotated rows of one split for one task, in file order (duplicates kept).

    sequences: S names; sequence: int32 [N] index into them; frame: int32 [N].
    units: V names of what is split and resampled (videos; subjects of stills); unit: int32 [N].
    groups: V names; units that share one must stay on the same side of a split (`_left`/`_right` of one video).
    targets: `expr` int64 [N] (-1 invalid), `va` float32 [N, 2] (-5 invalid), `au` int8 [N, 12] (-1 invalid);
    the keys are those of the task (`mtl` has all three).
    """

    sequences: tuple[str, ...]
    sequence: np.ndarray
    frame: np.ndarray
    units: tuple[str, ...]
    unit: np.ndarray
    groups: tuple[str, ...]
    targets: Mapping[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: np.ndarray) -> Labels:
        """The rows of a boolean mask or an index array, same names."""
        return Labels(
            self.sequences,
            self.sequence[rows],
            self.frame[rows],
            self.units,
            self.unit[rows],
            self.groups,
            {name: values[rows] for name, values in self.targets.items()},
        )


class Dataset(ABC):
    """A folder of face crops in a known layout."""

    name: str
    root: Path
    temporal: bool
    """Whether neighbouring frames of a sequence are neighbours in time (smoothing has a meaning)."""

    sequences: Mapping[str, Sequence]

    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """The tasks this folder has annotations for."""

    @abstractmethod
    def splits(self, task: str) -> tuple[str, ...]:
        """Labelled splits of a task: `train`, `validation`."""

    @abstractmethod
    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Names of the sequences of a split (also `test`), found without reading a label."""

    def frames(self, task: str, split: str) -> dict[str, np.ndarray]:
        """Ascending frame numbers of a split's crops by sequence (also `test`), found without reading a label."""
        return {name: self.sequences[name].frames for name in self.sequence_names(task, split)}

    @abstractmethod
    def labels(self, task: str, split: str) -> Labels:
        """The annotated rows; raises InputError with file and line when an annotation is malformed."""

    @abstractmethod
    def labels_digest(self, task: str, split: str) -> str:
        """Hash of the annotation files' bytes, read without parsing a label."""
