"""Targets of the expression stage, from the labels of still images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.data.stills import Stills
from harness.metrics import tasks
from harness.training.backbones import evaluation
from harness.training.backbones.stage_config import Expressions
from harness.utils.errors import InputError

BASIC_EXPRESSIONS = frozenset(tasks.EXPRESSIONS[:7])

AFFECTS = ("Valence", "Arousal")

OUTPUTS = {"va": tasks.VA, "au": tasks.AU}


@dataclass(frozen=True)
class ExpressionTargets:
    """Classes that are trained, and the columns of the classifier.

    Attributes
    ----------
    classes : tuple of str
        Classes that are trained, in the order of the labels' classes.
    number : ndarray of int
        For each class of the labels, its index in `classes`; -1 for classes that are left out.
    also : tuple of {"va", "au"}
        Additional outputs for which there are labels.
    """

    classes: tuple[str, ...]
    number: np.ndarray
    also: tuple[str, ...]

    @classmethod
    def from_stills(cls, config: Expressions, stills: Stills) -> ExpressionTargets:
        """Select the classes to train on; raise InputError if their number is not `config.classes`."""
        names = stills.classes
        classes = tuple(name for name in names if config.classes == 8 or name in BASIC_EXPRESSIONS)
        if len(classes) != config.classes:
            raise InputError(
                f"expressions.classes={config.classes}, but the images' classes are {', '.join(names)}; "
                "set expressions.classes to 7 or 8 to match them"
            )
        return cls(
            classes,
            np.array([classes.index(name) if name in classes else -1 for name in names]),
            tuple(block for block in config.also if _label_mask(stills, block).any()),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the classifier's outputs."""
        names = {"va": AFFECTS, "au": tasks.ACTION_UNITS}
        return self.classes + tuple(name for block in self.also for name in names[block])

    @property
    def slices(self) -> dict[str, slice]:
        """Columns of each block of outputs."""
        end, slices = len(self.classes), {"expr": slice(0, len(self.classes))}
        for block in self.also:
            slices[block] = slice(end, end + (2 if block == "va" else 12))
            end = slices[block].stop
        return slices

    def labels(self, stills: Stills) -> np.ndarray:
        """Return the index in `classes` for each image, int64 [N]; -1 for images without one of these classes."""
        return np.where(stills.expression >= 0, self.number[stills.expression], -1)

    def targets(self, stills: Stills) -> dict[str, tuple[np.ndarray, np.ndarray]]:
        """Return the targets and the bool mask of valid rows for each block."""
        valid = self.valid(stills)
        return {"expr": (self.labels(stills), valid["expr"])} | {
            block: (getattr(stills, block), valid[block]) for block in self.also
        }

    def valid(self, stills: Stills) -> dict[str, np.ndarray]:
        """Return a bool mask [N] of the images that have a label, for each block."""
        return {"expr": self.labels(stills) >= 0} | {block: _label_mask(stills, block) for block in self.also}

    def confusion_matrix(self, truth: np.ndarray, outputs: np.ndarray) -> np.ndarray:
        """Count pairs of true and predicted classes for outputs [n, columns]."""
        count = len(self.classes)
        return evaluation.confusion_matrix(truth, outputs[:, :count].argmax(axis=1), count)


def _label_mask(stills: Stills, block: str) -> np.ndarray:
    """Return a mask of the images that have the labels of an additional output."""
    values = getattr(stills, block)
    return np.zeros(len(stills), bool) if values is None else OUTPUTS[block].valid(values)
