"""Effective number of units (videos, subjects) that a score rests on.

For example, a class that occurs in two long videos and twenty short ones rests on little more than two videos.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.metrics.pooled import CCC_NAMES, F1_BLOCKS, PooledStatistics
from harness.metrics.unit_statistics import SufficientStatistics

FEW_UNITS = 6
"""Classes with fewer effective units than this are named under a board."""


def effective_number(counts: np.ndarray) -> np.ndarray:
    """Compute how many units of equal size are worth as much as units with the given numbers of frames.

    ``(sum of counts)^2 / (sum of squared counts)`` (Kish 1965, Survey Sampling, ch. 11.7).

    Parameters
    ----------
    counts : ndarray of float, shape (..., V)
        Frames of each unit.

    Returns
    -------
    ndarray of float64, shape (...)
        Between 1 and the number of units with frames; 0 without any frames.

    Examples
    --------
    >>> effective_number(np.array([[5.0, 5.0, 0.0], [9.0, 1.0, 1.0], [0.0, 0.0, 0.0]])).round(2).tolist()
    [2.0, 1.46, 0.0]
    """
    squares = np.sum(np.square(counts, dtype=np.float64), axis=-1)
    total = np.sum(counts, axis=-1, dtype=np.float64)
    return np.divide(total**2, squares, out=np.zeros_like(squares), where=squares > 0)


def frames_by_unit(pooled: PooledStatistics) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Count the frames of each unit that a score depends on; scores that are means of other scores are left out.

    Parameters
    ----------
    pooled : PooledStatistics

    Returns
    -------
    dict of str to (ndarray, ndarray), both of shape (V,)
        Two counts for each metric, averaged over seeds. For F1, the first counts the frames with the label of the
        class; the second, the denominator of F1, adds the frames for which the class is predicted. For accuracy and
        concordances, both count all frames.
    """
    rows = pooled.rows.mean(axis=0)
    frames: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for block, columns in pooled.columns.items():
        part = rows[columns]
        if block == "va":
            frames |= {name: (part[6 * i], part[6 * i]) for i, name in enumerate(CCC_NAMES)}
            continue
        _, labeled, predicted = np.split(part, 3)
        if block == "expr":
            frames["accuracy"] = (labeled.sum(axis=0), labeled.sum(axis=0))
        names = F1_BLOCKS[block][1]
        frames |= {f"F1/{name}": (labeled[i], labeled[i] + predicted[i]) for i, name in enumerate(names)}
    return frames


def effective_units(pooled: PooledStatistics, names: Sequence[str]) -> np.ndarray:
    """Compute the effective number of units of single scores.

    Parameters
    ----------
    pooled : PooledStatistics
    names : sequence of str
        Metrics: F1 scores of classes, `accuracy`, `CCC_V`, `CCC_A`.

    Returns
    -------
    ndarray of float64, shape (k,)
        For each of the k metrics: the geometric mean of two effective numbers of units. One is computed from the
        labeled frames of each unit, the other from the frames in the denominator of the score. 0 for a class without
        labels.
    """
    frames = frames_by_unit(pooled)
    return np.array([np.sqrt(np.prod(effective_number(np.stack(frames[name])))) for name in names])


def few_units(seeds: Sequence[SufficientStatistics]) -> dict[str, float]:
    """Find the classes whose labels come from few units.

    Parameters
    ----------
    seeds : sequence of SufficientStatistics
        Statistics of each seed, of the same units; the labels are the same for all.

    Returns
    -------
    dict of str to float
        For each class or action unit with fewer effective units than FEW_UNITS: the effective number of units with its
        labels, to one decimal, by the name of its metric, such as `F1/Fear`.

    Examples
    --------
    >>> counts = np.zeros((10, 8, 8), int)
    >>> counts[:, 0, 0], counts[:2, 3, 0] = 5, 7
    >>> found = few_units([SufficientStatistics("expr", {"expr": counts})])
    >>> found["F1/Fear"], found["F1/Anger"], "F1/Neutral" in found
    (2.0, 0.0, False)
    """
    frames = frames_by_unit(PooledStatistics(seeds[:1], many_in_groups=False))
    effective = {name: round(float(effective_number(labeled)), 1) for name, (labeled, _) in frames.items()}
    return {name: number for name, number in effective.items() if name.startswith("F1/") and number < FEW_UNITS}
