"""Metrics of a task from sufficient statistics, pooled over all units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.metrics.counts import action_unit_f1, concordance, expression_f1
from harness.metrics.tasks import ACTION_UNITS, EXPRESSIONS
from harness.metrics.unit_statistics import SufficientStatistics


@dataclass(frozen=True)
class Score:
    """Metrics of one set of predictions.

    Attributes
    ----------
    metrics : dict of str to float
        Scores by name, the primary metric of the task first: `P_MTL`; `P_VA`, `CCC_V`, `CCC_A`; `P_EXPR`, `accuracy`,
        `F1/Neutral` and so on; `P_AU`, `F1/AU1` and so on.
    undefined : tuple of str
        Names of the metrics that were undefined and counted as 0; see `harness.metrics.scores`.
    """

    metrics: dict[str, float]
    undefined: tuple[str, ...]


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
    >>> from harness.metrics.unit_statistics import compute_statistics
    >>> outputs = np.array([[0.1, -0.2], [0.6, 0.4]])
    >>> result = score(compute_statistics("va", outputs, {"va": outputs}, [0, 0], units=1))
    >>> {name: round(value, 6) for name, value in result.metrics.items()}
    {'P_VA': 1.0, 'CCC_V': 1.0, 'CCC_A': 1.0}
    """
    values, defined = compute_metrics(statistics.task, statistics.total())
    undefined = tuple(name for name, is_defined in defined.items() if not is_defined)
    return Score({name: float(value) for name, value in values.items()}, undefined)


def compute_metrics(task: str, totals: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Compute each metric from pooled statistics, and whether it is defined.

    Parameters
    ----------
    task : str
        Name of the task.
    totals : mapping of str to ndarray
        Pooled statistics by output block; see `SufficientStatistics.total`. Leading axes are allowed.

    Returns
    -------
    values, defined : dict of str to ndarray
        By metric. Metrics that are means or sums of others are not in `defined`.
    """
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
    """Compute the scores whose mean is the primary metric of a block.

    Returns
    -------
    primary : str
        Name of the primary metric.
    names : list of str
        Names of the scores.
    values, defined : ndarray, shape (..., number of scores)
        The scores, and whether each is defined.
    """
    if block == "expr":
        return "P_EXPR", [f"F1/{name}" for name in EXPRESSIONS], *expression_f1(total)
    if block == "va":
        return "P_VA", ["CCC_V", "CCC_A"], *concordance(total)
    return "P_AU", [f"F1/{name}" for name in ACTION_UNITS], *action_unit_f1(total)
