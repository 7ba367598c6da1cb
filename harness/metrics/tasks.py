"""The four tasks: what is predicted, which labels count, and how outputs become labels.

N: annotated frames; C: output columns of a task (`expr` 8, `va` 2, `au` 12, `mtl` 22).
Orders and invalid-label rules are those of the third ABAW challenge (Kollias 2022, arXiv 2202.10659).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.utils.errors import unknown_name_error

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
ACTION_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26")
AFFECTS = ("valence", "arousal")
THRESHOLD_GRID = tuple(round(0.1 * i, 1) for i in range(1, 10))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Row-wise softmax of [N, C] logits, finite for any finite input."""
    shifted = logits - logits.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    return weights / weights.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    return expit(logits)


ACTIVATIONS = {"softmax": softmax, "tanh": np.tanh, "sigmoid": sigmoid}


@dataclass(frozen=True)
class Output:
    """One block of columns: its target, activation and loss (the loss is looked up by `harness.training.heads`)."""

    name: str
    columns: tuple[str, ...]
    activation: str
    loss: str
    metric: str

    def valid(self, target: np.ndarray) -> np.ndarray:
        """Bool [N]: the frames whose label counts.

        Expression: 0 to 7. Valence and arousal: both at least -1. Action units: none of the twelve negative.
        """
        if self.name == "expr":
            return target >= 0
        if self.name == "va":
            return (target >= -1).all(axis=1)
        return (target >= 0).all(axis=1)


EXPR = Output("expr", EXPRESSIONS, "softmax", "weighted_cross_entropy", "P_EXPR")
VA = Output("va", AFFECTS, "tanh", "one_minus_ccc", "P_VA")
AU = Output("au", ACTION_UNITS, "sigmoid", "weighted_binary_cross_entropy", "P_AU")


@dataclass(frozen=True)
class Task:
    """A prediction target of the benchmark; `mtl` is the three others side by side (VA, EXPR, AU)."""

    name: str
    outputs: tuple[Output, ...]
    metric: str

    @property
    def width(self) -> int:
        return sum(len(output.columns) for output in self.outputs)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(column for output in self.outputs for column in output.columns)

    def slices(self) -> dict[str, slice]:
        """Columns of each output block in the [N, C] output array."""
        ends = np.cumsum([len(output.columns) for output in self.outputs])
        return {o.name: slice(int(end) - len(o.columns), int(end)) for o, end in zip(self.outputs, ends)}

    def activate(self, logits: np.ndarray) -> np.ndarray:
        """[N, C] logits -> [N, C] probabilities (expr, au) and values in [-1, 1] (va)."""
        slices = self.slices()
        return np.concatenate([ACTIVATIONS[o.activation](logits[:, slices[o.name]]) for o in self.outputs], axis=1)

    def valid(self, targets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Bool [N] for each output block: the frames whose label counts for it."""
        return {output.name: output.valid(targets[output.name]) for output in self.outputs}

    def decode(self, outputs: np.ndarray, thresholds: np.ndarray | float = 0.5) -> dict[str, np.ndarray]:
        """[N, C] outputs -> `expr` int64 [N] (argmax), `va` [N, 2], `au` int8 [N, 12] (p >= threshold of that AU)."""
        slices, decoded = self.slices(), {}
        for output in self.outputs:
            block = outputs[:, slices[output.name]]
            if output.name == "expr":
                decoded["expr"] = block.argmax(axis=1)
            elif output.name == "va":
                decoded["va"] = block
            else:
                decoded["au"] = (block >= thresholds).astype(np.int8)
        return decoded


TASKS = {
    "expr": Task("expr", (EXPR,), "P_EXPR"),
    "va": Task("va", (VA,), "P_VA"),
    "au": Task("au", (AU,), "P_AU"),
    "mtl": Task("mtl", (VA, EXPR, AU), "P_MTL"),
}


def get_task(name: str) -> Task:
    """The task of that name; InputError with the nearest names when there is none."""
    if name not in TASKS:
        raise unknown_name_error("task", name, TASKS)
    return TASKS[name]


def expression_weights(labels: np.ndarray) -> np.ndarray:
    """[8] class weights max_count / count of valid labels (Savchenko 2022); 0 for a class that never occurs."""
    counts = np.bincount(labels[labels >= 0], minlength=len(EXPRESSIONS)).astype(np.float64)
    return np.divide(counts.max(), counts, out=np.zeros_like(counts), where=counts > 0)


def action_unit_weights(labels: np.ndarray) -> np.ndarray:
    """[12, 2] weights of absent and present: N / (2 * count); 0 where one side never occurs (Savchenko 2022)."""
    valid = labels[(labels >= 0).all(axis=1)]
    present = valid.sum(axis=0, dtype=np.float64)
    counts = np.stack([len(valid) - present, present], axis=1)
    return np.divide(len(valid), 2 * counts, out=np.zeros_like(counts), where=counts > 0)
