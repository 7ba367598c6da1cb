"""One measured figure, and how to time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """what was done; value and limit in `unit`; rival: the naive way, its value beside ours from the same run."""

    name: str
    what: str
    value: float
    limit: float
    unit: str
    rival: str
    rival_value: float

    @property
    def reached(self) -> bool:
        return self.value <= self.limit

    @property
    def ratio(self) -> float:
        return self.rival_value / self.value if self.value else float("inf")


def seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Median wall time of `work` over some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)
