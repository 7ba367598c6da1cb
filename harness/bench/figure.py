"""One measured figure, and how to time."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

ROUNDS = 5


@dataclass(frozen=True)
class Measurement:
    """What was done, what it took, and what that is held against.

    part: name of the row, unique and the same in every run, so that it can be followed over time. value: ours, in
    `unit`. rival: what it is held against, and its value in the same unit from the same rounds; ratio: how many times
    as fast as the rival (1: equally fast), as the median over interleaved rounds; least: what the ratio must reach.
    limit: instead of a rival, what the value must not exceed. floor: the least time, in the same unit, that the
    machine's measured ceilings allow for the bytes and operations counted. note: what a reader must know besides.
    """

    part: str
    what: str
    value: float
    unit: str
    rival: str = ""
    rival_value: float | None = None
    ratio: float | None = None
    least: float | None = None
    limit: float | None = None
    floor: float | None = None
    note: str = ""

    @property
    def reached(self) -> bool:
        """True where nothing is required."""
        return (self.limit is None or self.value <= self.limit) and (
            self.least is None or (self.ratio is not None and self.ratio >= self.least)
        )


@dataclass(frozen=True)
class Times:
    """Seconds of each round, by contestant."""

    rounds: Mapping[str, tuple[float, ...]]

    def median(self, name: str) -> float:
        return statistics.median(self.rounds[name])

    def ratio(self, ours: str, rival: str) -> float:
        """How many times as fast as the rival: the median over rounds of its time divided by ours."""
        return statistics.median(theirs / own for own, theirs in zip(self.rounds[ours], self.rounds[rival]))


def interleave_rounds(contestants: Mapping[str, Callable[[], object]], rounds: int = ROUNDS) -> Times:
    """Each contestant once a round, every second round in reverse order, after one round that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for round in range(rounds + 1):
        for name in list(contestants)[:: -1 if round % 2 else 1]:
            began = time.perf_counter()
            contestants[name]()
            if round:
                taken[name].append(time.perf_counter() - began)
    return Times({name: tuple(values) for name, values in taken.items()})


def median_seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Median wall time of `work` over some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


MAX_MEMORY_GIB = 3.0
"""The most that may be resident."""


@dataclass(frozen=True)
class ScaleResult:
    """Medians over rounds of the seconds of each part, and the highest peak of resident memory, of so many frames."""

    frames: int
    seconds: Mapping[str, float]
    peak_bytes: int

    @property
    def total(self) -> float:
        return sum(self.seconds.values())


def growth_exponent(measured: Sequence[ScaleResult]) -> float:
    """Least-squares slope of log time over log frames."""
    frames, seconds = [math.log(one.frames) for one in measured], [math.log(one.total) for one in measured]
    return float(np.polyfit(frames, seconds, 1)[0])
