"""A backbone's own emotion scores read as the eight expressions; nothing is trained (Savchenko 2022)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from harness.features.store import FeatureEntry
from harness.jobs.predictions import Predictions, crops, predictions
from harness.metrics.tasks import EXPRESSIONS, softmax
from harness.utils.errors import InputError

OTHER = EXPRESSIONS.index("Other")
PLACES = {**{name.lower(): i for i, name in enumerate(EXPRESSIONS)}, "contempt": OTHER}
"""The expression that a score column of that name stands for."""
FEWEST = 2
"""Columns that make a classifier."""


def expression_columns(score_labels: Sequence[str]) -> np.ndarray | None:
    """float64 [S, 8]: 1 where a score column stands for an expression, by its name; None where fewer than two do.

    Contempt counts as Other, so that AffectNet's eight classes, alphabetical, are the index vector 5, 0, 2, 3, 4, 6,
    7, 1; without Contempt (seven classes) Other has no column. Columns of anything else (valence, action units) have
    no expression.
    """
    places = np.array([PLACES.get(name.lower(), -1) for name in score_labels], dtype=np.int64)
    columns = (places[:, None] == np.arange(len(EXPRESSIONS))).astype(np.float64)
    return columns if columns.sum() >= FEWEST else None


def zero_shot(scores: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Logits [N, S] -> float64 [N, 8] probabilities: softmax over the columns that stand for an expression."""
    emotions = columns.any(axis=1)
    return softmax(np.asarray(scores, dtype=np.float64)[:, emotions]) @ columns[emotions]


@dataclass
class ZeroShotModel:
    """The scores in a feature entry; InputError when its backbone names no emotions."""

    entry: FeatureEntry

    def __post_init__(self) -> None:
        columns = expression_columns(self.entry.backbone["score_labels"])
        if columns is None:
            raise InputError(f"{self.entry.backbone['label']}: its score columns are not named after emotions, so they "
                             "cannot be read as expressions")
        self.columns = columns
        self.summary = {"epoch": 0, "epochs": {}, "parameters": 0, "history": [], "pruned": False}

    def predict(self, sequences: Sequence[str]) -> Predictions:
        def outputs_of(name: str, _: np.ndarray) -> np.ndarray:
            return zero_shot(self.entry.read(name, "scores")[0], self.columns)

        return predictions(crops(self.entry, sequences), outputs_of, len(EXPRESSIONS))

    def save(self, folder: Path) -> None:
        """The entry says all."""
