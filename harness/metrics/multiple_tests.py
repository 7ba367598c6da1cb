"""Adjustment of p-values for multiple comparisons."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm_bonferroni(p: Sequence[float]) -> list[float]:
    """Adjust p-values for multiple comparisons by the Holm-Bonferroni method.

    The i-th smallest of m p-values is multiplied by ``m - i + 1``; the products are made monotone and limited to 1.

    Parameters
    ----------
    p : sequence of float
        Unadjusted p-values.

    Returns
    -------
    list of float
        Adjusted p-values in the order given.

    References
    ----------
    Holm (1979), A simple sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6(2).

    Examples
    --------
    >>> holm_bonferroni([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, dtype=np.float64)
    order = np.argsort(values, kind="stable")
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(values[order] * np.arange(len(values), 0, -1)), 1)
    return adjusted.tolist()
