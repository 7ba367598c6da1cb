"""Tasks of the benchmark: their outputs, valid labels, activations and decision rules.

N is the number of annotated frames; C is the number of output columns of a task (`expr` 8, `va` 2, `au` 12, `mtl` 22).
The order of classes and the markers of invalid labels are those of the third ABAW challenge (Kollias 2022,
arXiv:2202.10659).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from harness.utils.errors import unknown_name_error

EXPRESSIONS = ("Neutral", "Anger", "Disgust", "Fear", "Happiness", "Sadness", "Surprise", "Other")
"""Names of the expression classes 0 to 7."""
ACTION_UNITS = ("AU1", "AU2", "AU4", "AU6", "AU7", "AU10", "AU12", "AU15", "AU23", "AU24", "AU25", "AU26")
"""Names of the action units, in the order of their columns."""
AFFECTS = ("valence", "arousal")
"""Names of the columns of valence and arousal."""
THRESHOLD_GRID = tuple(round(0.1 * i, 1) for i in range(1, 10))
"""Candidate decision thresholds of an action unit: 0.1 to 0.9."""


def softmax(logits: np.ndarray) -> np.ndarray:
    """Compute the softmax of each row.

    Parameters
    ----------
    logits : ndarray of float, shape (N, C)

    Returns
    -------
    ndarray of float, shape (N, C)
        Values between 0 and 1, finite for any finite input; each row sums to 1.

    Examples
    --------
    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    shifted = logits - logits.max(axis=1, keepdims=True)
    weights = np.exp(shifted)
    return weights / weights.sum(axis=1, keepdims=True)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    """Compute the logistic function ``1 / (1 + exp(-x))`` of each value.

    Parameters
    ----------
    logits : ndarray of float

    Returns
    -------
    ndarray of float
        Values between 0 and 1, of the same shape.

    Examples
    --------
    >>> sigmoid(np.array([0.0])).tolist()
    [0.5]
    """
    from scipy.special import expit

    return expit(logits)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"softmax": softmax, "tanh": np.tanh, "sigmoid": sigmoid}
"""Functions from logits [N, C] to outputs, by name."""


@dataclass(frozen=True)
class Output:
    """Block of output columns that share a target, an activation, a loss and a metric.

    Attributes
    ----------
    name : {"expr", "va", "au"}
    columns : tuple of str
        Names of the columns.
    activation : {"softmax", "tanh", "sigmoid"}
        Key of `ACTIVATIONS`.
    loss : str
        Name of the training loss; see `harness.training.losses`.
    metric : {"P_EXPR", "P_VA", "P_AU"}
    """

    name: str
    columns: tuple[str, ...]
    activation: str
    loss: str
    metric: str

    def valid(self, target: np.ndarray) -> np.ndarray:
        """Select the frames with a valid label.

        Parameters
        ----------
        target : ndarray of shape (N,) for `expr`, (N, 2) for `va` and (N, 12) for `au`

        Returns
        -------
        ndarray of bool, shape (N,)
            Expression: the class is not negative. Valence and arousal: both are at least -1 (-5 marks an invalid
            label). Action units: none of the twelve is negative.
        """
        if self.name == "expr":
            return target >= 0
        if self.name == "va":
            return np.all(target >= -1, axis=1)
        return np.all(target >= 0, axis=1)


EXPR = Output("expr", EXPRESSIONS, "softmax", "weighted_cross_entropy", "P_EXPR")
VA = Output("va", AFFECTS, "tanh", "one_minus_ccc", "P_VA")
AU = Output("au", ACTION_UNITS, "sigmoid", "weighted_binary_cross_entropy", "P_AU")


@dataclass(frozen=True)
class Task:
    """Prediction task of the benchmark; `mtl` combines the three others in the order VA, EXPR, AU.

    Attributes
    ----------
    name : {"expr", "va", "au", "mtl"}
    outputs : tuple of Output
        Output blocks, in the order of their columns.
    metric : {"P_EXPR", "P_VA", "P_AU", "P_MTL"}
        Primary metric.
    """

    name: str
    outputs: tuple[Output, ...]
    metric: str

    @property
    def width(self) -> int:
        """Number of output columns, C."""
        return sum(len(output.columns) for output in self.outputs)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the output columns."""
        return tuple(column for output in self.outputs for column in output.columns)

    def slices(self) -> dict[str, slice]:
        """Return the columns of each output block in an output array [N, C], by block name.

        Examples
        --------
        >>> TASKS["mtl"].slices()
        {'va': slice(0, 2, None), 'expr': slice(2, 10, None), 'au': slice(10, 22, None)}
        """
        ends = np.cumsum([len(output.columns) for output in self.outputs])
        return {o.name: slice(int(end) - len(o.columns), int(end)) for o, end in zip(self.outputs, ends)}

    def activate(self, logits: np.ndarray) -> np.ndarray:
        """Convert logits [N, C] to outputs [N, C]: probabilities (`expr`, `au`) and values in [-1, 1] (`va`)."""
        slices = self.slices()
        return np.concatenate([ACTIVATIONS[o.activation](logits[:, slices[o.name]]) for o in self.outputs], axis=1)

    def valid(self, targets: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Select the frames with a valid label for each output block.

        Parameters
        ----------
        targets : mapping of str to ndarray of N rows
            Labels by block name.

        Returns
        -------
        dict of str to ndarray of bool, shape (N,)
            See `Output.valid`.
        """
        return {output.name: output.valid(targets[output.name]) for output in self.outputs}

    def decode(self, outputs: np.ndarray, thresholds: np.ndarray | float = 0.5) -> dict[str, np.ndarray]:
        """Convert outputs to labels.

        Parameters
        ----------
        outputs : ndarray of float, shape (N, C)
            Probabilities (`expr`, `au`) and values in [-1, 1] (`va`).
        thresholds : float or ndarray of shape (12,), default=0.5
            Action units are present if their probability is at least this.

        Returns
        -------
        dict of str to ndarray
            `expr`: int64 of shape (N,), the class with the largest output; `va`: shape (N, 2), unchanged; `au`: int8 of
            shape (N, 12), 1 for present. Contains only the blocks of the task.

        Examples
        --------
        >>> TASKS["au"].decode(np.full((1, 12), 0.6))["au"].tolist()
        [[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]]
        """
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
"""Tasks by name."""


def get_task(name: str) -> Task:
    """Return a task by name.

    Parameters
    ----------
    name : {"expr", "va", "au", "mtl"}

    Returns
    -------
    Task

    Raises
    ------
    InputError
        If there is no such task.

    Examples
    --------
    >>> get_task("va").columns
    ('valence', 'arousal')
    """
    if name not in TASKS:
        raise unknown_name_error("task", name, TASKS)
    return TASKS[name]


def expression_weights(labels: np.ndarray) -> np.ndarray:
    """Compute class weights that balance expressions in a loss: largest class count / count of the class.

    Parameters
    ----------
    labels : ndarray of int, shape (N,)
        Classes 0 to 7; negative labels are ignored.

    Returns
    -------
    ndarray of float64, shape (8,)
        At least 1; 0 for a class that does not occur.

    References
    ----------
    Savchenko (2022), arXiv:2203.13436.

    Examples
    --------
    >>> expression_weights(np.array([0, 0, 1, -1])).tolist()
    [1.0, 2.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    """
    counts = np.bincount(labels[labels >= 0], minlength=len(EXPRESSIONS)).astype(np.float64)
    return np.divide(counts.max(), counts, out=np.zeros_like(counts), where=counts > 0)


def action_unit_weights(labels: np.ndarray) -> np.ndarray:
    """Compute weights that balance absence and presence of each action unit in a loss: number of rows / (2 * count).

    Parameters
    ----------
    labels : ndarray of int, shape (N, 12)
        1 for present, 0 for absent; rows with a negative label are ignored.

    Returns
    -------
    ndarray of float64, shape (12, 2)
        Weights of absent and present; 0 for a state that does not occur.

    References
    ----------
    Savchenko (2022), arXiv:2203.13436.

    Examples
    --------
    >>> action_unit_weights(np.eye(4, 12, dtype=int))[0].round(3).tolist()
    [0.667, 2.0]
    """
    valid = labels[(labels >= 0).all(axis=1)]
    present = valid.sum(axis=0, dtype=np.float64)
    counts = np.stack([len(valid) - present, present], axis=1)
    return np.divide(len(valid), 2 * counts, out=np.zeros_like(counts), where=counts > 0)
