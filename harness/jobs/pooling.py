"""Predictions of several models become those of one split: each row as predicted by the model that never saw it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from harness.data.dataset import Labels
from harness.jobs.predictions import Predictions


def pooled(parts: Sequence[tuple[Predictions, Labels]]) -> Predictions:
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
        position = predictions.locate(labels)
        mine[position[position >= 0]] = True
        pieces.append((sequence[mine], predictions.frames[mine], predictions.outputs[mine]))
    sequence, frames, outputs = (np.concatenate(column) for column in zip(*pieces))
    order = np.lexsort((frames, sequence))
    lengths = np.bincount(sequence, minlength=len(names)).astype(np.int64)
    return Predictions(names, lengths, frames[order], outputs[order])
