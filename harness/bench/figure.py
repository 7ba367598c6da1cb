"""Measurements of benchmarks, and functions for timing."""

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
    """One result of a benchmark.

    Attributes
    ----------
    part : str
        Unique name, the same in every run, so that it can be followed over time.
    what : str
        Description of the workload.
    value : float
        Measured value in `unit`.
    unit : str
    rival : str
        Description of the baseline, "" without one.
    rival_value : float or None
        Value of the baseline in the same unit, from the same rounds.
    ratio : float or None
        Speed relative to the baseline (1: equally fast), as the median over interleaved rounds.
    least : float or None
        Required ratio.
    limit : float or None
        Largest allowed value, None if the value is not limited.
    floor : float or None
        Lower bound of the value, usually from the bytes and operations of the workload and the measured hardware
        limits.
    note : str
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
        """Whether the requirement is met; True if there is none."""
        return (self.limit is None or self.value <= self.limit) and (
            self.least is None or (self.ratio is not None and self.ratio >= self.least)
        )


@dataclass(frozen=True)
class Times:
    """Times of several functions.

    Attributes
    ----------
    rounds : mapping of str to tuple of float
        Seconds of each round, by name.
    """

    rounds: Mapping[str, tuple[float, ...]]

    def median(self, name: str) -> float:
        """Compute the median over rounds."""
        return statistics.median(self.rounds[name])

    def ratio(self, ours: str, rival: str) -> float:
        """Compute the speed of `ours` relative to `rival`: the median over rounds of the ratio of their times."""
        return statistics.median(base / time for time, base in zip(self.rounds[ours], self.rounds[rival]))


def interleave_rounds(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int = ROUNDS,
    clock: Callable[[], float] = time.perf_counter,
) -> Times:
    """Time functions in turn, every second round in reverse order, after a warm-up round.

    Parameters
    ----------
    contestants : mapping of str to callable
    rounds : int
        Number of rounds, without the warm-up round.
    clock : callable
        Clock in seconds: of wall time by default, `time.process_time` for CPU time.
    """
    elapsed: dict[str, list[float]] = {name: [] for name in contestants}
    for round in range(rounds + 1):
        for name in list(contestants)[:: -1 if round % 2 else 1]:
            began = clock()
            contestants[name]()
            if round:
                elapsed[name].append(clock() - began)
    return Times({name: tuple(values) for name, values in elapsed.items()})


def median_seconds(work: Callable[[], object], rounds: int = 1) -> float:
    """Compute the median wall time of a function over some rounds."""
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return statistics.median(times)


MAX_MEMORY_GIB = 3.0
"""Largest allowed resident memory of the largest job in the benchmark `scale`."""


@dataclass(frozen=True)
class ScaleResult:
    """Time and memory of a job on a given number of frames.

    Attributes
    ----------
    frames : int
    seconds : mapping of str to float
        Median over rounds, by part of the job.
    peak_bytes : int
        Largest peak of resident memory.
    """

    frames: int
    seconds: Mapping[str, float]
    peak_bytes: int

    @property
    def total(self) -> float:
        """Seconds of all parts."""
        return sum(self.seconds.values())


def growth_exponent(measured: Sequence[ScaleResult]) -> float:
    """Compute the least-squares slope of log time over log frames."""
    frames, seconds = [math.log(result.frames) for result in measured], [math.log(result.total) for result in measured]
    return float(np.polyfit(frames, seconds, 1)[0])
