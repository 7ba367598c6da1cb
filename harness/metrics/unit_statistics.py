"""Sufficient statistics per unit, from which scores, intervals and tests are computed without the frames.

V is the number of units (videos, or subjects of still images), which are what is resampled; N is the number of labeled
rows. There is one array for each output block of the task:

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
from harness.metrics.counts import action_unit_f1, concordance, expression_f1, f1
from harness.metrics.tasks import ACTION_UNITS, AU, EXPRESSIONS, THRESHOLD_GRID, Output, Task, get_task
from harness.utils.errors import InputError


@dataclass(frozen=True, eq=False)
class SufficientStatistics:
    """Statistics of one set of predictions.

    Attributes
    ----------
    task : {"expr", "va", "au", "mtl"}
    arrays : mapping of str to ndarray
        Statistics by output block, as described in `harness.metrics.unit_statistics`. The names of the units are not
        part of them.
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
            sums, center = _to_additive_sums(block, values)
            totals[block] = _from_additive_sums(block, sums.sum(axis=0), center)
        return totals

    def rows(self) -> np.ndarray:
        """Count the rows with a valid label.

        Returns
        -------
        ndarray of int64, shape (blocks, V)
            By output block and unit.
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


@dataclass(frozen=True)
class Score:
    """Metrics of one set of predictions.

    Attributes
    ----------
    metrics : dict of str to float
        By name, the primary metric of the task first: `P_MTL`; `P_VA`, `CCC_V`, `CCC_A`; `P_EXPR`, `accuracy`,
        `F1/Neutral` and so on; `P_AU`, `F1/AU1` and so on.
    undefined : tuple of str
        Names of the metrics that were undefined and counted as 0; see `harness.metrics.scores`.
    """

    metrics: dict[str, float]
    undefined: tuple[str, ...]


class StatisticsAccumulator:
    """Accumulator of the statistics of many predictions for the same rows; the labels are processed once.

    Calling it with outputs of shape (rows, C), probabilities or values in [-1, 1], returns their
    `SufficientStatistics`. It is fastest for arrays in Fortran order.

    Parameters
    ----------
    task : Task or str
    targets : mapping of str to ndarray of N rows
        Labels by output block, as in `harness.data.dataset.Labels`; rows with an invalid label are ignored.
    unit : array-like of int, shape (N,)
        Unit of each row, 0 to V - 1.
    units : int
        V.
    thresholds : float or ndarray of shape (12,), default=0.5
        Decision thresholds of the action units.
    rows : array-like of int, shape (N,), optional
        Row of the outputs that belongs to each label row; by default label row i is output row i.

    Raises
    ------
    InputError
        For an unknown task, and for labels or units of the wrong shape or range.
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
        V.
    thresholds : float or ndarray of shape (12,), default=0.5
        Decision thresholds of the action units.

    Returns
    -------
    SufficientStatistics

    Raises
    ------
    InputError
        For an unknown task, arrays of the wrong shape or range, and NaN or infinity in a row with a valid label.

    Examples
    --------
    >>> statistics = compute_statistics("expr", np.eye(8)[[0, 1, 1]], {"expr": np.array([0, 1, 2])}, [0, 0, 1], units=2)
    >>> statistics.arrays["expr"].shape, statistics.rows().tolist()
    ((2, 8, 8), [[2, 1]])
    >>> round(score(statistics).metrics["accuracy"], 3)
    0.667
    """
    if len(outputs) != len(unit):
        raise InputError(f"{len(outputs)} rows of outputs for {len(unit)} labels; give one row for each label")
    return StatisticsAccumulator(task, targets, unit, units, thresholds)(outputs)


def score(statistics: SufficientStatistics) -> Score:
    """Compute the metrics of a task, pooled over all rows of all units.

    Parameters
    ----------
    statistics : SufficientStatistics

    Returns
    -------
    Score

    Examples
    --------
    >>> outputs = np.array([[0.1, -0.2], [0.6, 0.4]])
    >>> result = score(compute_statistics("va", outputs, {"va": outputs}, [0, 0], units=1))
    >>> {name: round(value, 6) for name, value in result.metrics.items()}
    {'P_VA': 1.0, 'CCC_V': 1.0, 'CCC_A': 1.0}
    """
    values, defined = _compute_metrics(statistics.task, statistics.total())
    undefined = tuple(name for name, is_defined in defined.items() if not is_defined)
    return Score({name: float(value) for name, value in values.items()}, undefined)


def best_thresholds(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Select the decision threshold of each action unit that maximizes its F1 score.

    Parameters
    ----------
    outputs : ndarray of float, shape (N, 12)
        Probabilities.
    targets : ndarray of int, shape (N, 12)
        1 for present, 0 for absent; rows with a negative label are ignored.

    Returns
    -------
    ndarray of float64, shape (12,)
        Values of `harness.metrics.tasks.THRESHOLD_GRID`; the smallest of equally good ones, also if F1 is 0 for all.

    Raises
    ------
    InputError
        If no row has a valid label, or if outputs are NaN or infinite.

    Examples
    --------
    >>> outputs = np.array([[0.25] * 12, [0.65] * 12])
    >>> best_thresholds(outputs, np.array([[0] * 12, [1] * 12]))[0].item()
    0.3
    """
    valid = AU.valid(np.asarray(targets))
    truth, outputs = np.asarray(targets)[valid] == 1, np.asarray(outputs, dtype=np.float64)[valid]
    if not len(truth) or not np.isfinite(outputs).all():
        raise InputError("thresholds need finite outputs of at least one frame with a valid label")
    levels = len(THRESHOLD_GRID) + 1
    level = np.searchsorted(THRESHOLD_GRID, outputs, side="right")  # number of thresholds at or below the output
    code = (np.arange(len(ACTION_UNITS)) * 2 + truth) * levels + level
    counts = np.bincount(code.ravel(), minlength=len(ACTION_UNITS) * 2 * levels).reshape(-1, 2, levels)
    predicted = counts[..., ::-1].cumsum(axis=-1)[..., ::-1][..., 1:]
    fp, tp = predicted[:, 0], predicted[:, 1]
    values, _ = f1(tp, fp, counts[:, 1].sum(axis=-1, keepdims=True) - tp)
    return np.array(THRESHOLD_GRID)[values.argmax(axis=1)]


def _make_accumulator(
    block: str, target: np.ndarray, unit: np.ndarray, units: int, thresholds: np.ndarray | float
) -> BlockAccumulator:
    if block == "expr":
        return ExpressionAccumulator(target, unit, units)
    if block == "va":
        return AffectAccumulator(target, unit, units)
    return ActionUnitAccumulator(target, unit, units, np.broadcast_to(thresholds, len(ACTION_UNITS)))


def validate_unit_index(unit: np.ndarray, units: int) -> np.ndarray:
    """Return the units [N] of the rows; raise `InputError` unless they are in 0 to `units` - 1."""
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


def _to_additive_sums(block: str, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Convert statistics [...] to a form that adds up over units, and return the center [2, 2] of the moments.

    The center is the pooled mean, computed as an offset from the mean of one unit, so that a constant gives exactly 0.
    """
    if block != "va":
        return values, np.zeros((2, 2))
    n, means = values[..., :1], values[..., 1:3]
    flat_n, flat_means = n.reshape(-1, 2, 1), means.reshape(-1, 2, 2)
    first = flat_means[flat_n[:, 0, 0].argmax()] if len(flat_n) else np.zeros((2, 2))
    center = first + (flat_n * (flat_means - first)).sum(axis=0) / max(flat_n[:, 0].sum(), 1)
    offset = means - center
    products = np.stack([offset[..., 0] ** 2, offset[..., 1] ** 2, offset.prod(axis=-1)], axis=-1)
    return np.concatenate([n, n * offset, values[..., 3:] + n * products], axis=-1), center


def _from_additive_sums(block: str, sums: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Convert sums [..., 2, 6] about `center` to moments about their own means; other blocks are unchanged."""
    if block != "va":
        return sums
    n, first, squares = sums[..., :1], sums[..., 1:3], sums[..., 3:]
    offset = np.divide(first, n, out=np.zeros_like(first), where=n > 0)
    products = np.stack([offset[..., 0] ** 2, offset[..., 1] ** 2, offset.prod(axis=-1)], axis=-1)
    squares = squares - n * products
    squares[..., :2] = np.maximum(squares[..., :2], 0)
    return np.concatenate([n, np.where(n > 0, center + offset, 0), squares], axis=-1)


def _compute_metrics(
    task: str, totals: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Compute each metric, [...], and whether it is defined, from pooled arrays [..., *]."""
    values: dict[str, np.ndarray] = {}
    defined: dict[str, np.ndarray] = {}
    for block, total in totals.items():
        primary, names, parts, parts_defined = _compute_block_metrics(block, total)
        values[primary] = parts.mean(axis=-1)
        if block == "expr":
            rows = total.sum(axis=(-2, -1))
            correct = np.trace(total, axis1=-2, axis2=-1)
            values["accuracy"] = np.divide(correct, rows, out=np.zeros(np.shape(rows)), where=rows > 0)
            defined["accuracy"] = rows > 0
        for i, name in enumerate(names):
            values[name], defined[name] = parts[..., i], parts_defined[..., i]
    if task == "mtl":
        values = {"P_MTL": values["P_VA"] + values["P_EXPR"] + values["P_AU"], **values}
    return values, defined


def _compute_block_metrics(block: str, total: np.ndarray) -> tuple[str, list[str], np.ndarray, np.ndarray]:
    """Return the primary metric of a block, and the names [parts], values [..., parts] and definedness of its parts."""
    if block == "expr":
        return "P_EXPR", [f"F1/{name}" for name in EXPRESSIONS], *expression_f1(total)
    if block == "va":
        return "P_VA", ["CCC_V", "CCC_A"], *concordance(total)
    return "P_AU", [f"F1/{name}" for name in ACTION_UNITS], *action_unit_f1(total)
