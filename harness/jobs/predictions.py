"""Saved predictions: the outputs of a model for all crops of a split, before smoothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.dataset import Labels
from harness.features.entry import FeatureEntry
from harness.utils.npz import read_arrays

FramesBySequence = Mapping[str, np.ndarray]
"""Frame numbers of the crops of each sequence, ascending, as int32 arrays."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Outputs of the crops of S sequences, concatenated.

    Attributes
    ----------
    sequences : tuple of str
        Names of the sequences.
    lengths : int64 ndarray of shape (S,)
        Number of crops of each sequence.
    frames : int32 ndarray of shape (n,)
        Frame numbers of all n crops, ascending within a sequence.
    outputs : float32 ndarray of shape (n, C)
        Unsmoothed outputs, in the C columns of the task.
    """

    sequences: tuple[str, ...]
    lengths: np.ndarray
    frames: np.ndarray
    outputs: np.ndarray

    def save(self, path: Path) -> None:
        """Write the predictions to an .npz file."""
        np.savez(
            path,
            sequences=np.array(self.sequences, dtype=np.str_),
            lengths=self.lengths,
            frames=self.frames,
            outputs=self.outputs,
        )

    @staticmethod
    def load(path: Path) -> Predictions:
        """Read predictions that `save` wrote; raise OSError or ValueError if this is not possible."""
        arrays = read_arrays(path)
        missing = sorted({"sequences", "lengths", "frames", "outputs"} - arrays.keys())
        if missing:
            raise ValueError(f"no {', '.join(missing)} in it")
        predictions = Predictions(
            tuple(map(str, arrays["sequences"].ravel())), arrays["lengths"], arrays["frames"], arrays["outputs"]
        )
        if not predictions._is_consistent():
            raise ValueError("its arrays do not fit each other")
        return predictions

    def _is_consistent(self) -> bool:
        """Whether types and shapes are as documented, `lengths` adds up to the number of rows, outputs are finite."""
        lengths, frames, outputs = self.lengths, self.frames, self.outputs
        return (
            [array.dtype.kind for array in (lengths, frames, outputs)] == ["i", "i", "f"]
            and (lengths.shape, frames.ndim, outputs.ndim) == ((len(self.sequences),), 1, 2)
            and bool((lengths >= 0).all())
            and int(lengths.sum()) == len(frames) == len(outputs)
            and bool(np.isfinite(outputs).all())
        )

    def slices(self, sequences: np.ndarray) -> list[slice]:
        """Return the rows of each given sequence as a slice; `sequences` contains indices into `self.sequences`."""
        ends = np.cumsum(self.lengths)
        return [slice(int(ends[i] - self.lengths[i]), int(ends[i])) for i in sequences]

    def take(self, rows: np.ndarray) -> Predictions:
        """Select rows by their ascending indices; the sequences stay the same, with fewer crops or none."""
        ends = np.searchsorted(rows, np.cumsum(self.lengths))
        return Predictions(self.sequences, np.diff(ends, prepend=0), self.frames[rows], self.outputs[rows])

    def index_of(self, labels: Labels) -> np.ndarray:
        """Return, for each label, the row of its frame in `outputs`, as int64; -1 if the frame has no crop."""
        number = {name: i for i, name in enumerate(self.sequences)}
        sequence_of = np.array([number.get(name, -1) for name in labels.sequences], dtype=np.int64)
        stride = 1 + max(int(self.frames.max(initial=0)), int(labels.frame.max(initial=0)))
        predicted = np.repeat(np.arange(len(self.sequences)), self.lengths) * stride + self.frames
        labeled = sequence_of[labels.sequence] * stride + labels.frame
        position = np.searchsorted(predicted, labeled)
        exists = (sequence_of[labels.sequence] >= 0) & (position < len(predicted))
        exists[exists] = predicted[position[exists]] == labeled[exists]
        return np.where(exists, position, -1)


def frames_with_features(entry: FeatureEntry, sequences: Sequence[str]) -> FramesBySequence:
    """Return the frame numbers of the crops with features, by sequence."""
    return {name: np.asarray(entry.frames(name)) for name in sequences}


def collect_predictions(
    frames: FramesBySequence, outputs_of: Callable[[str, np.ndarray], np.ndarray], width: int
) -> Predictions:
    """Compute the predictions of several sequences.

    Parameters
    ----------
    frames : mapping of str to ndarray
        Frame numbers of the crops of each sequence.
    outputs_of : callable
        Called with the name and the n frame numbers of a sequence; returns its outputs [n, width].
    width : int
        Number of outputs.

    Returns
    -------
    Predictions
        Predictions of all sequences, in the order of `frames`.
    """
    outputs = [
        outputs_of(name, numbers) if len(numbers) else np.zeros((0, width), np.float32)
        for name, numbers in frames.items()
    ]
    return Predictions(
        tuple(frames),
        np.array([len(numbers) for numbers in frames.values()], dtype=np.int64),
        np.concatenate([*frames.values(), np.zeros(0, np.int32)]).astype(np.int32),
        np.concatenate([*outputs, np.zeros((0, width), np.float32)]).astype(np.float32),
    )


def merge_fold_predictions(parts: Sequence[tuple[Predictions, Labels]]) -> Predictions:
    """Merge the predictions of cross-validation folds.

    Several folds may predict the same sequence (of still images). Each fold then contributes only the rows of its
    selection labels.

    Parameters
    ----------
    parts : sequence of (Predictions, Labels)
        Predictions and selection labels of each fold.

    Returns
    -------
    Predictions
        Merged predictions, with sequences ordered by name. Predictions of a single fold are returned unchanged.
    """
    if len(parts) == 1:
        return parts[0][0]
    counts = Counter(name for predictions, _ in parts for name in predictions.sequences)
    names = tuple(sorted(counts))
    shared = {name for name, count in counts.items() if count > 1}
    number = {name: i for i, name in enumerate(names)}
    pieces = []
    for predictions, labels in parts:
        sequence = np.repeat([number[name] for name in predictions.sequences], predictions.lengths).astype(np.int64)
        selected = np.repeat([name not in shared for name in predictions.sequences], predictions.lengths)
        position = predictions.index_of(labels)
        selected[position[position >= 0]] = True
        pieces.append((sequence[selected], predictions.frames[selected], predictions.outputs[selected]))
    sequence, frames, outputs = (np.concatenate(column) for column in zip(*pieces))
    order = np.lexsort((frames, sequence))
    lengths = np.bincount(sequence, minlength=len(names)).astype(np.int64)
    return Predictions(names, lengths, frames[order], outputs[order])
