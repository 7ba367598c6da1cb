"""Sufficient statistics per unit, from which scores, intervals and tests are computed without the frames.

V is the number of units (videos, or subjects of still images), over which scores are resampled. N is the number of
labeled rows, C the number of output columns of the task. There is one array for each output block of the task:

- `expr`: int64, shape (V, 8, 8), counts by true and predicted class;
- `va`: float64, shape (V, 2, 6), `harness.metrics.counts.MOMENTS` of valence and arousal, centered within the unit;
- `au`: int64, shape (V, 12, 4), `harness.metrics.counts.COUNTS` of each action unit.

Task `mtl` has all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.metrics.accumulators import (
    ActionUnitAccumulator,
    AffectAccumulator,
    BlockAccumulator,
    ExpressionAccumulator,
)
from harness.metrics.additive_sums import from_additive_sums, to_additive_sums
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS, Output, Task, get_task
from harness.utils.errors import InputError


@dataclass(frozen=True, eq=False)
class SufficientStatistics:
    """Statistics of one set of predictions.

    Attributes
    ----------
    task : {"expr", "va", "au", "mtl"}
    arrays : mapping of str to ndarray
        Statistics by output block, as described in `harness.metrics.unit_statistics`. They do not contain the names of
        the units.
    """

    task: str
    arrays: Mapping[str, np.ndarray]

    def total(self) -> dict[str, np.ndarray]:
        """Pool the statistics over units.

        Returns
        -------
        dict of str to ndarray
            `expr` of shape (8, 8), `va` of shape (2, 6), `au` of shape (12, 4).
        """
        totals = {}
        for block, values in self.arrays.items():
            sums, center = to_additive_sums(block, values)
            totals[block] = from_additive_sums(block, sums.sum(axis=0), center)
        return totals

    def rows(self) -> np.ndarray:
        """Count the rows with a valid label.

        Returns
        -------
        ndarray of int64, shape (blocks, V)
            Counts by output block and unit.
        """
        return np.stack(
            [
                values[:, 0, 0].astype(np.int64)
                if block == "va"
                else values[:, 0].sum(axis=-1)
                if block == "au"
                else values.sum(axis=(1, 2))
                for block, values in self.arrays.items()
            ]
        )


class StatisticsAccumulator:
    """Accumulator of the statistics of many predictions for the same rows; the labels are processed once.

    Call it with outputs of shape (rows, C) to get their `SufficientStatistics`. The outputs are probabilities or values
    in [-1, 1]. Arrays in Fortran order are fastest.

    Parameters
    ----------
    task : Task or str
    targets : mapping of str to ndarray of N rows
        Labels by output block, as in `harness.data.dataset.Labels`; rows with an invalid label are ignored.
    unit : array-like of int, shape (N,)
        Unit of each row, 0 to V - 1.
    units : int
        Number of units, V.
    thresholds : float or ndarray of shape (12,), default=0.5
        Decision thresholds of the action units.
    rows : array-like of int, shape (N,), optional
        For each label, the row of the outputs that belongs to it. Default: row i for label i.

    Raises
    ------
    InputError
        If the task is unknown, or labels or units have a wrong shape or range.
    """

    def __init__(
        self,
        task: Task | str,
        targets: Mapping[str, np.ndarray],
        unit: np.ndarray,
        units: int,
        thresholds: np.ndarray | float = 0.5,
        rows: np.ndarray | None = None,
    ) -> None:
        self.task = get_task(task) if isinstance(task, str) else task
        unit = validate_unit_index(np.asarray(unit), units)
        rows = np.arange(len(unit)) if rows is None else np.asarray(rows)
        order = np.argsort(unit, kind="stable")
        slices = self.task.slices()
        self.blocks: list[tuple[str, slice, np.ndarray, BlockAccumulator]] = []
        for output in self.task.outputs:
            target = _validate_target(output, np.asarray(targets[output.name]), len(unit))
            valid = order[output.valid(target)[order]]
            accumulate = _make_accumulator(output.name, target[valid], unit[valid], units, thresholds)
            self.blocks.append((output.name, slices[output.name], rows[valid], accumulate))

    def __call__(self, outputs: np.ndarray) -> SufficientStatistics:
        """Compute the statistics of outputs of shape (rows, C).

        Raises
        ------
        InputError
            If an output of a row with a valid label is NaN or infinite, or if the number of columns is not C.
        """
        outputs = np.asarray(outputs)
        if outputs.ndim != 2 or outputs.shape[1] != self.task.width:
            raise InputError(
                f"outputs of task {self.task.name} must have shape [N, {self.task.width}]; got {list(outputs.shape)}"
            )
        arrays = {}
        for name, columns, rows, accumulate in self.blocks:
            block = np.take(outputs.T[columns], rows, axis=1)
            if not np.isfinite(block.sum(dtype=np.float64)):
                raise InputError(f"outputs of {name} contain NaN or infinity; check the features and the training")
            arrays[name] = accumulate(block)
        return SufficientStatistics(self.task.name, arrays)


def compute_statistics(
    task: Task | str,
    outputs: np.ndarray,
    targets: Mapping[str, np.ndarray],
    unit: np.ndarray,
    units: int,
    thresholds: np.ndarray | float = 0.5,
) -> SufficientStatistics:
    """Compute the statistics of outputs against their labels.

    Parameters
    ----------
    task : Task or str
    outputs : ndarray of float, shape (N, C)
        Probabilities (`expr`, `au`) or values in [-1, 1] (`va`).
    targets : mapping of str to ndarray of N rows
        Labels by output block, as in `harness.data.dataset.Labels`; rows with an invalid label are ignored.
    unit : array-like of int, shape (N,)
        Unit of each row, 0 to V - 1.
    units : int
        Number of units, V.
    thresholds : float or ndarray of shape (12,), default=0.5
        Decision thresholds of the action units.

    Returns
    -------
    SufficientStatistics

    Raises
    ------
    InputError
        If the task is unknown, an array has a wrong shape or range, or an output with a valid label is not finite.

    Examples
    --------
    >>> from harness.metrics.pooled_scores import score
    >>> statistics = compute_statistics("expr", np.eye(8)[[0, 1, 1]], {"expr": np.array([0, 1, 2])}, [0, 0, 1], units=2)
    >>> statistics.arrays["expr"].shape, statistics.rows().tolist()
    ((2, 8, 8), [[2, 1]])
    >>> round(score(statistics).metrics["accuracy"], 3)
    0.667
    """
    if len(outputs) != len(unit):
        raise InputError(f"{len(outputs)} rows of outputs for {len(unit)} labels; give one row for each label")
    return StatisticsAccumulator(task, targets, unit, units, thresholds)(outputs)


def _make_accumulator(
    block: str, target: np.ndarray, unit: np.ndarray, units: int, thresholds: np.ndarray | float
) -> BlockAccumulator:
    if block == "expr":
        return ExpressionAccumulator(target, unit, units)
    if block == "va":
        return AffectAccumulator(target, unit, units)
    return ActionUnitAccumulator(target, unit, units, np.broadcast_to(thresholds, len(ACTION_UNITS)))


def validate_unit_index(unit: np.ndarray, units: int) -> np.ndarray:
    """Return the unit index of each row; raise `InputError` unless all indices are from 0 to `units` - 1."""
    if unit.ndim != 1 or (unit.size and not 0 <= unit.min() <= unit.max() < units):
        raise InputError(f"unit must be an index of shape [N] into {units} units, with values 0 to {units - 1}")
    return unit


def _validate_target(output: Output, target: np.ndarray, rows: int) -> np.ndarray:
    shape = (rows,) if output.name == "expr" else (rows, len(output.columns))
    if target.shape != shape:
        raise InputError(f"labels of {output.name} have shape {list(target.shape)}; expected {list(shape)}")
    highest = {"expr": len(EXPRESSIONS) - 1, "au": 1}.get(output.name)
    if highest is not None and target.size and target.max() > highest:
        raise InputError(f"labels of {output.name} go up to {highest}; found {target.max()}")
    return target
