"""Classes and action units that have too few labels for a meaningful F1, and metrics computed without them."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from harness.metrics.pooled import F1_BLOCKS
from harness.metrics.pooled_scores import score
from harness.metrics.unit_statistics import SufficientStatistics

MIN_LABELS = 10
"""Classes with fewer labels than this are rare; their F1 depends on a few frames."""


def rare_classes(statistics: SufficientStatistics) -> dict[str, int]:
    """Find the expressions and action units with fewer labels than MIN_LABELS.

    Parameters
    ----------
    statistics : SufficientStatistics

    Returns
    -------
    dict of str to int
        For each such class, by the name of its metric: the number of scored frames with its label. For an action unit,
        these are the frames in which it is active.

    Examples
    --------
    >>> confusion = np.diag([40, 30, 12, 9, 20, 10, 11, 0])[None]
    >>> rare_classes(SufficientStatistics("expr", {"expr": confusion}))
    {'F1/Fear': 9, 'F1/Other': 0}
    """
    rare: dict[str, int] = {}
    for block, total in statistics.total().items():
        if block not in F1_BLOCKS:
            continue
        labels = total.sum(axis=-1) if block == "expr" else total[:, 0] + total[:, 2]
        rare |= {f"F1/{name}": int(n) for name, n in zip(F1_BLOCKS[block][1], labels) if n < MIN_LABELS}
    return rare


def score_without(statistics: SufficientStatistics, metric: str, classes: Collection[str]) -> float | None:
    """Compute a metric without some classes.

    Frames with a label of these classes still count as false positives of the class that was predicted, as they do for
    ``f1_score(labels=...)`` of scikit-learn.

    Parameters
    ----------
    statistics : SufficientStatistics
    metric : {"P_EXPR", "P_VA", "P_AU", "P_MTL"}
    classes : collection of str
        Names of F1 scores that do not count, such as `F1/Fear`.

    Returns
    -------
    float or None
        The mean of the other F1 scores; for `P_MTL` the sum of these means and `P_VA`. None if no class is left.

    Examples
    --------
    >>> confusion = np.diag([40, 30, 12, 9, 20, 10, 11, 0])[None]
    >>> score_without(SufficientStatistics("expr", {"expr": confusion}), "P_EXPR", ["F1/Other"])
    1.0
    """
    metrics, values = score(statistics).metrics, dict[str, float]()
    for block in statistics.arrays:
        if block not in F1_BLOCKS:
            values["P_VA"] = metrics["P_VA"]
            continue
        primary, names = F1_BLOCKS[block]
        parts = [metrics[f"F1/{name}"] for name in names if f"F1/{name}" not in classes]
        if parts:
            values[primary] = float(np.mean(parts))
    if metric == "P_MTL":
        return sum(values.values()) if len(values) == len(statistics.arrays) else None
    return values.get(metric)
