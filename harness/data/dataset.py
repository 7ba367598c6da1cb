"""Common interface of datasets: sequences of face crops, and labels that refer to their frames."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import numpy as np

if TYPE_CHECKING:
    from harness.data.problems import Problem


@dataclass(frozen=True, eq=False)
class Sequence:
    """Face crops of one video, or of one block of rows of an image table.

    Attributes
    ----------
    name : str
    frames : int32 array of shape (T,)
        Frame numbers, 1-based, in ascending order.
    images : tuple of Path
        Image files, one for each frame.
    """

    name: str
    frames: np.ndarray
    images: tuple[Path, ...]


@dataclass(frozen=True, eq=False)
class Labels:
    """Annotated rows of one split for one task, in file order, duplicates included.

    Attributes
    ----------
    sequences : tuple of str
        Sequence names.
    sequence : int32 array of shape (N,)
        Index of each row's sequence in `sequences`.
    frame : int32 array of shape (N,)
        Frame number of each row, 1-based.
    units : tuple of str
        Names of the units that are split and resampled: videos, or subjects of still images.
    unit : int32 array of shape (N,)
        Index of each row's unit in `units`.
    groups : tuple of str
        Group of each unit. Units of one group, such as `_left` and `_right` of one video, are not separated by a
        split.
    targets : mapping of str to array
        The outputs of the task: `expr` int64 (N,), `va` float32 (N, 2), `au` int8 (N, 12). Invalid labels are -1,
        for `va` -5. The task `mtl` has all three.
    warnings : tuple of Problem
        Warnings about rows that are not used, for checks. The result of `take` has none.
    """

    sequences: tuple[str, ...]
    sequence: np.ndarray
    frame: np.ndarray
    units: tuple[str, ...]
    unit: np.ndarray
    groups: tuple[str, ...]
    targets: Mapping[str, np.ndarray]
    warnings: tuple[Problem, ...] = ()

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: np.ndarray) -> Labels:
        """Select rows by a boolean mask or an index array; the names stay the same."""
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
    """A folder of face crops with annotations.

    Attributes
    ----------
    layout : str
        Description of the layout, for messages.
    name : str
    root : Path
    temporal : bool
        Whether consecutive frames of a sequence are consecutive in time, so that predictions can be smoothed.
    sequences : mapping of str to Sequence
    """

    layout: ClassVar[str] = "face crops"
    name: str
    root: Path
    temporal: bool
    sequences: Mapping[str, Sequence]

    @property
    def upright(self) -> bool:
        """Whether images are decoded upright by their EXIF orientation: stills are, crops cut from video are not."""
        return not self.temporal

    @abstractmethod
    def tasks(self) -> tuple[str, ...]:
        """Return the tasks that the folder has annotations for."""

    @abstractmethod
    def splits(self, task: str) -> tuple[str, ...]:
        """Return the labeled splits of a task: `train`, `validation`."""

    @abstractmethod
    def sequence_names(self, task: str, split: str) -> tuple[str, ...]:
        """Return the names of the sequences of a split, which may be `test`, without parsing labels."""

    def frames(self, task: str, split: str) -> dict[str, np.ndarray]:
        """Return the frame numbers of a split's crops, without parsing labels.

        Parameters
        ----------
        task : str
        split : str
            `train`, `validation` or `test`.

        Returns
        -------
        dict of str to int array
            Ascending frame numbers by sequence name.
        """
        return {name: self.sequences[name].frames for name in self.sequence_names(task, split)}

    def notices(self) -> tuple[str, ...]:
        """Return sentences about data that are not read, to be logged as warnings before the other data are used."""
        return ()

    def find_errors(self, task: str) -> Iterator[Problem]:
        """Yield the errors that prevent a run of a task, other than malformed labels."""
        return iter(())

    @abstractmethod
    def labels(self, task: str, split: str) -> Labels:
        """Return the annotated rows of a split.

        Raises
        ------
        InputError
            If an annotation is malformed; the message names file and line.
        """

    @abstractmethod
    def labels_digest(self, task: str, split: str) -> str:
        """Return a hash of the bytes of the annotation files, without parsing labels."""
