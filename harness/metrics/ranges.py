"""Ranges of metrics."""

from __future__ import annotations


def metric_range(metric: str) -> tuple[int, int]:
    """Return the smallest and largest possible value of a metric.

    Examples
    --------
    >>> metric_range("P_MTL"), metric_range("P_EXPR")
    ((-1, 3), (0, 1))
    """
    return (-1, 3) if metric == "P_MTL" else (-1, 1) if metric in ("P_VA", "CCC_V", "CCC_A") else (0, 1)


def clip_to_range(metric: str, low: float, high: float, difference: bool = False) -> tuple[float, float]:
    """Clip an interval to the range of a metric and round it to ten decimals.

    Rounding makes the ends equal on all machines.

    Parameters
    ----------
    metric : str
    low, high : float
        Ends of the interval.
    difference : bool, default=False
        Whether `low` and `high` are for a difference between two scores, whose range is twice as wide.

    Returns
    -------
    low, high : float

    Examples
    --------
    >>> clip_to_range("P_EXPR", -0.1, 0.8)
    (0, 0.8)
    """
    least, most = metric_range(metric)
    if difference:
        least, most = least - most, most - least
    return round(max(low, least), 10), round(min(high, most), 10)
