"""Measure latency and memory of an exported file for one crop on this machine, in separate processes."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import numpy as np

from harness.export.formats import format_named
from harness.utils.errors import FramelightError
from harness.utils.parallel import run_module_in_subprocess
from harness.utils.process_memory import resident_bytes
from harness.utils.text import plural

PROCESS = "harness.export.latency"
LONGEST_REASON = 300


@dataclass(frozen=True)
class Latency:
    """Time of a call with one crop, after warm-up calls.

    Attributes
    ----------
    median, p95 : float
        Milliseconds.
    calls : int
    """

    median: float
    p95: float
    calls: int


@dataclass(frozen=True)
class MeasuredCost:
    """Cost of one crop.

    Attributes
    ----------
    latency : dict of int to Latency
        Latency by number of threads.
    memory : float
        Peak resident memory in MiB of a process that loads and runs the file, including interpreter and libraries. The
        process uses the first of the given numbers of threads.
    growth : float
        Part of `memory` in MiB that was added after the runtime had been imported.
    device : str
        Processor and number of cores.
    """

    latency: dict[int, Latency]
    memory: float
    growth: float
    device: str


def measure_cost(format_name: str, path: Path, size: int, threads: Sequence[int] = (1, 2)) -> MeasuredCost:
    """Measure the cost of one crop; takes about five seconds for each number of threads.

    Parameters
    ----------
    format_name : str
    path : Path
        The exported file.
    size : int
        Side of the uint8 crop in pixels.
    threads : sequence of int

    Raises
    ------
    FramelightError
        If the file cannot be opened or run.
    """
    results = {number: _measure_in_process(format_name, path, size, number) for number in threads}
    first = results[threads[0]]
    return MeasuredCost(
        {number: Latency(**result["latency"]) for number, result in results.items()},
        first["memory"],
        first["growth"],
        device_name(),
    )


def device_name() -> str:
    """Name the processor and its number of cores."""
    from harness.tracking.environment import environment

    values = environment()
    return f"{values['processor']}, {plural(values['cores'], 'core')}"


def _measure_in_process(format_name: str, path: Path, size: int, threads: int) -> dict:
    process = run_module_in_subprocess(PROCESS, format_name, path, size, threads)
    if process.returncode != 0:
        last = (process.stderr.strip().splitlines() or ["it was killed: out of memory?"])[-1]
        raise FramelightError(f"the cost of {path} could not be measured ({last[-LONGEST_REASON:]})")
    return json.loads(process.stdout.splitlines()[-1])


WARM_CALLS, WARM_SECONDS = 10, 1.0
FEWEST_CALLS, MOST_CALLS, SECONDS = 50, 1000, 3.0


def main(format_name: str, path: Path, size: int, threads: int) -> dict[str, object]:
    """Measure one file in this process.

    Returns
    -------
    dict
        `latency` with `median` and `p95` in milliseconds and `calls`; `memory` and `growth` in MiB.
    """
    exported = format_named(format_name)
    import_module(exported.runtime)
    before = resident_bytes() / 2**20
    run = exported.open(path, threads)
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    milliseconds = time_calls(lambda: run(crop))
    peak = resident_bytes(peak=True) / 2**20
    latency = {
        "median": statistics.median(milliseconds),
        "p95": float(np.percentile(milliseconds, 95)),
        "calls": len(milliseconds),
    }
    return {"latency": latency, "memory": peak, "growth": max(peak - before, 0.0)}


def time_calls(work: Callable[[], object]) -> list[float]:
    """Time each call in milliseconds, after warm-up calls that are not counted."""
    began, calls = time.perf_counter(), 0
    while calls < WARM_CALLS or time.perf_counter() - began < WARM_SECONDS:
        work()
        calls += 1
    milliseconds: list[float] = []
    began = time.perf_counter()
    while len(milliseconds) < FEWEST_CALLS or (
        len(milliseconds) < MOST_CALLS and time.perf_counter() - began < SECONDS
    ):
        start = time.perf_counter()
        work()
        milliseconds.append((time.perf_counter() - start) * 1e3)
    return milliseconds


if __name__ == "__main__":
    result = main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
    print(json.dumps(result))  # noqa: T201 - the parent process parses standard output
