"""Kept predictions: the outputs of a head on every crop of a split, before any smoothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.data.dataset import Labels
from harness.features.store import FeatureEntry

FramesBySequence = Mapping[str, np.ndarray]
"""Frame numbers of the crops of each sequence, int32 [n], ascending."""


@dataclass(frozen=True, eq=False)
class Predictions:
    """Outputs of the crops of S sequences, one sequence after the other.

    lengths: int64 [S] crops of each; frames: int32 [n], ascending within a sequence; outputs: float32 [n, C].
    """

    sequences: tuple[str, ...]
    lengths: np.ndarray
    frames: np.ndarray
    outputs: np.ndarray

    def save(self, path: Path) -> None:
        np.savez(
            path,
            sequences=np.array(self.sequences, dtype=np.str_),
            lengths=self.lengths,
            frames=self.frames,
            outputs=self.outputs,
        )

    @staticmethod
    def load(path: Path) -> Predictions:
        with np.load(path, allow_pickle=False) as kept:
            return Predictions(
                tuple(str(name) for name in kept["sequences"]), kept["lengths"], kept["frames"], kept["outputs"]
            )

    def slices(self, sequences: np.ndarray) -> list[slice]:
        """The rows of each of these sequences (by number)."""
        ends = np.cumsum(self.lengths)
        return [slice(int(ends[i] - self.lengths[i]), int(ends[i])) for i in sequences]

    def index_of(self, labels: Labels) -> np.ndarray:
        """int64 [N]: the position of each labelled row's crop in `outputs`, -1 where it has none."""
        number = {name: i for i, name in enumerate(self.sequences)}
        sequence_of = np.array([number.get(name, -1) for name in labels.sequences], dtype=np.int64)
        stride = 1 + max(int(self.frames.max(initial=0)), int(labels.frame.max(initial=0)))
        held = np.repeat(np.arange(len(self.sequences)), self.lengths) * stride + self.frames
        wanted = sequence_of[labels.sequence] * stride + labels.frame
        position = np.searchsorted(held, wanted)
        found = (sequence_of[labels.sequence] >= 0) & (position < len(held))
        found[found] = held[position[found]] == wanted[found]
        return np.where(found, position, -1)


def frames_with_features(entry: FeatureEntry, sequences: Sequence[str]) -> FramesBySequence:
    """The crops of these sequences that have features."""
    return {name: np.asarray(entry.frames(name)) for name in sequences}


def collect_predictions(
    frames: FramesBySequence, outputs_of: Callable[[str, np.ndarray], np.ndarray], width: int
) -> Predictions:
    """outputs_of(sequence, its frames [n]) -> [n, width], asked of each sequence in the order of `frames`."""
    outputs = [outputs_of(name, own) if len(own) else np.zeros((0, width), np.float32) for name, own in frames.items()]
    return Predictions(
        tuple(frames),
        np.array([len(own) for own in frames.values()], dtype=np.int64),
        np.concatenate([*frames.values(), np.zeros(0, np.int32)]).astype(np.int32),
        np.concatenate([*outputs, np.zeros((0, width), np.float32)]).astype(np.float32),
    )


def merge_fold_predictions(parts: Sequence[tuple[Predictions, Labels]]) -> Predictions:
    """The predictions of every part, sequences in order of their names; what is given alone stays as it is.

    Of a sequence that several parts predict (blocks of stills), a part counts for the rows that its labels name.
    """
    if len(parts) == 1:
        return parts[0][0]
    met = Counter(name for predictions, _ in parts for name in predictions.sequences)
    names = tuple(sorted(met))
    shared = {name for name, times in met.items() if times > 1}
    number = {name: i for i, name in enumerate(names)}
    pieces = []
    for predictions, labels in parts:
        sequence = np.repeat([number[name] for name in predictions.sequences], predictions.lengths).astype(np.int64)
        mine = np.repeat([name not in shared for name in predictions.sequences], predictions.lengths)
        position = predictions.index_of(labels)
        mine[position[position >= 0]] = True
        pieces.append((sequence[mine], predictions.frames[mine], predictions.outputs[mine]))
    sequence, frames, outputs = (np.concatenate(column) for column in zip(*pieces))
    order = np.lexsort((frames, sequence))
    lengths = np.bincount(sequence, minlength=len(names)).astype(np.int64)
    return Predictions(names, lengths, frames[order], outputs[order])
