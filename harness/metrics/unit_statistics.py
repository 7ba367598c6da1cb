"""Sufficient statistics per unit: everything a score, a merge of shards or a bootstrap needs, without the frames.

V: units (videos; subjects of stills), the things that are resampled; N: labelled rows. Arrays by output block:
`expr` int64 [V, 8, 8] confusion counts (true, predicted); `va` float64 [V, 2, 6] `metrics.MOMENTS` of valence and
arousal, centred within the unit; `au` int64 [V, 12, 4] `metrics.COUNTS`. Task `mtl` has all three.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    """Statistics of one set of predictions; `arrays` as in the module's text. Names of the units are kept beside."""

    task: str
    arrays: Mapping[str, np.ndarray]

    def total(self) -> dict[str, np.ndarray]:
        """The arrays pooled over units: `expr` [8, 8], `va` [2, 6], `au` [12, 4]."""
        totals = {}
        for block, values in self.arrays.items():
            sums, centre = _to_additive_sums(block, values)
            totals[block] = _from_additive_sums(block, sums.sum(axis=0), centre)
        return totals

    def rows(self) -> np.ndarray:
        """int64 [blocks, V]: rows that count, those with a valid label for the block."""
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
    """Metrics by the names of the contract; `undefined` names those that were undefined and counted as 0."""

    metrics: dict[str, float]
    undefined: tuple[str, ...]


class StatisticsAccumulator:
    """Counts many predictions of the same rows, as a smoothing curve does; the labels are worked through once.

    targets as in `harness.data.dataset.Labels`, rows with an invalid label are left out; unit: int [N] in 0 to V - 1;
    units: V. thresholds: one for all action units or [12]. rows: int [N], the row of the outputs that belongs to each
    label row; by default label row i is output row i.
    """

    def __init__(
        self,
        task: Task | str,
        targets: Mapping[str, np.ndarray],
        unit: np.ndarray,
        units: int,
        thresholds: np.ndarray | float = 0.5,
        rows: np.ndarray | None = None,
    ):
        self.task = get_task(task) if isinstance(task, str) else task
        unit = validate_unit_index(np.asarray(unit), units)
        rows = np.arange(len(unit)) if rows is None else np.asarray(rows)
        order = np.argsort(unit, kind="stable")
        slices = self.task.slices()
        self.blocks: list[tuple[str, slice, np.ndarray, BlockAccumulator]] = []
        for output in self.task.outputs:
            target = _validate_target(output, np.asarray(targets[output.name]), len(unit))
            kept = order[output.valid(target)[order]]
            tally = _make_accumulator(output.name, target[kept], unit[kept], units, thresholds)
            self.blocks.append((output.name, slices[output.name], rows[kept], tally))

    def __call__(self, outputs: np.ndarray) -> SufficientStatistics:
        """Compute the statistics of outputs [rows, C] (probabilities, values in [-1, 1]); fastest in Fortran order.

        InputError where an output that counts is NaN or infinite, or the width is not the task's.
        """
        outputs = np.asarray(outputs)
        if outputs.ndim != 2 or outputs.shape[1] != self.task.width:
            raise InputError(
                f"outputs of task {self.task.name} have shape [N, {self.task.width}]; got {list(outputs.shape)}"
            )
        arrays = {}
        for name, columns, rows, tally in self.blocks:
            block = np.take(outputs.T[columns], rows, axis=1)
            if not np.isfinite(block.sum(dtype=np.float64)):
                raise InputError(f"outputs of {name} hold NaN or infinity; look at the features and the training")
            arrays[name] = tally(block)
        return SufficientStatistics(self.task.name, arrays)


def compute_statistics(
    task: Task | str,
    outputs: np.ndarray,
    targets: Mapping[str, np.ndarray],
    unit: np.ndarray,
    units: int,
    thresholds: np.ndarray | float = 0.5,
) -> SufficientStatistics:
    """Statistics of outputs [N, C] against their labels; arguments as for `StatisticsAccumulator`."""
    if len(outputs) != len(unit):
        raise InputError(f"{len(outputs)} rows of outputs for {len(unit)} labels; they are paired row by row")
    return StatisticsAccumulator(task, targets, unit, units, thresholds)(outputs)


def merge_shards(shards: Iterable[SufficientStatistics]) -> SufficientStatistics:
    """Statistics of all the shards' rows, however they were cut; the shards count the same V units."""
    shards = list(shards)
    kinds = {(shard.task, *(values.shape for values in shard.arrays.values())) for shard in shards}
    if len(kinds) != 1:
        raise InputError("shards merge when there is at least one and all count the same units of the same task")
    arrays = {}
    for block in shards[0].arrays:
        stacked = np.stack([shard.arrays[block] for shard in shards])
        sums, centre = _to_additive_sums(block, stacked)
        arrays[block] = _from_additive_sums(block, sums.sum(axis=0), centre)
    return SufficientStatistics(shards[0].task, arrays)


def score(statistics: SufficientStatistics) -> Score:
    """Metrics pooled over all rows of all units, the task's own metric first."""
    values, defined = _compute_metrics(statistics.task, statistics.total())
    undefined = tuple(name for name, one in defined.items() if not one)
    return Score({name: float(value) for name, value in values.items()}, undefined)


def best_thresholds(outputs: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """float64 [12]: for each action unit the first of THRESHOLD_GRID that maximises F1 of p >= threshold.

    outputs [N, 12] probabilities; targets [N, 12], rows with a negative label are left out. An action unit whose F1
    is 0 everywhere gets the first of the grid.
    """
    valid = AU.valid(np.asarray(targets))
    truth, outputs = np.asarray(targets)[valid] == 1, np.asarray(outputs, dtype=np.float64)[valid]
    if not len(truth) or not np.isfinite(outputs).all():
        raise InputError("thresholds are chosen from finite outputs of at least one frame with a valid label")
    levels = len(THRESHOLD_GRID) + 1
    reached = np.searchsorted(THRESHOLD_GRID, outputs, side="right")  # how many thresholds p is at or above
    code = (np.arange(len(ACTION_UNITS)) * 2 + truth) * levels + reached
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
    """The index [N]; InputError where it does not point into `units` names."""
    if unit.ndim != 1 or (unit.size and not 0 <= unit.min() <= unit.max() < units):
        raise InputError(f"unit is an index [N] into {units} unit names")
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
    """Statistics [...] in a form that adds up over units and shards, and the centre [2, 2] that moments are about.

    The centre is the pooled mean, reached from one unit's so that a constant gives exactly 0.
    """
    if block != "va":
        return values, np.zeros((2, 2))
    n, means = values[..., :1], values[..., 1:3]
    flat_n, flat_means = n.reshape(-1, 2, 1), means.reshape(-1, 2, 2)
    first = flat_means[flat_n[:, 0, 0].argmax()] if len(flat_n) else np.zeros((2, 2))
    centre = first + (flat_n * (flat_means - first)).sum(axis=0) / max(flat_n[:, 0].sum(), 1)
    away = means - centre
    squares = values[..., 3:] + n * np.stack([away[..., 0] ** 2, away[..., 1] ** 2, away.prod(axis=-1)], axis=-1)
    return np.concatenate([n, n * away, squares], axis=-1), centre


def _from_additive_sums(block: str, sums: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Sums [..., 2, 6] about `centre` -> moments about their own means; other blocks as they are."""
    if block != "va":
        return sums
    n, first, squares = sums[..., :1], sums[..., 1:3], sums[..., 3:]
    offset = np.divide(first, n, out=np.zeros_like(first), where=n > 0)
    products = np.stack([offset[..., 0] ** 2, offset[..., 1] ** 2, offset.prod(axis=-1)], axis=-1)
    squares = squares - n * products
    squares[..., :2] = np.maximum(squares[..., :2], 0)
    return np.concatenate([n, np.where(n > 0, centre + offset, 0), squares], axis=-1)


def _compute_metrics(
    task: str, totals: Mapping[str, np.ndarray]
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Values and definedness by metric name, each [...], from pooled arrays [..., *]."""
    values: dict[str, np.ndarray] = {}
    defined: dict[str, np.ndarray] = {}
    for block, total in totals.items():
        primary, names, parts, known = _compute_block_metrics(block, total)
        values[primary] = parts.mean(axis=-1)
        if block == "expr":
            rows = total.sum(axis=(-2, -1))
            right = np.trace(total, axis1=-2, axis2=-1)
            values["accuracy"] = np.divide(right, rows, out=np.zeros(np.shape(rows)), where=rows > 0)
            defined["accuracy"] = rows > 0
        for i, name in enumerate(names):
            values[name], defined[name] = parts[..., i], known[..., i]
    if task == "mtl":
        values = {"P_MTL": values["P_VA"] + values["P_EXPR"] + values["P_AU"], **values}
    return values, defined


def _compute_block_metrics(block: str, total: np.ndarray) -> tuple[str, list[str], np.ndarray, np.ndarray]:
    """(metric of the block, names of its parts, their values [..., parts], whether they are defined)."""
    if block == "expr":
        return "P_EXPR", [f"F1/{name}" for name in EXPRESSIONS], *expression_f1(total)
    if block == "va":
        return "P_VA", ["CCC_V", "CCC_A"], *concordance(total)
    return "P_AU", [f"F1/{name}" for name in ACTION_UNITS], *action_unit_f1(total)
