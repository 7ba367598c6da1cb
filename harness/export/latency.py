"""What one crop costs on this machine, by any exported file: time and memory, each in a process of its own."""

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
from harness.utils.text import plural

PROCESS = "harness.export.latency"
LONGEST_REASON = 300


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one crop, once warm, over `calls` calls that were timed one by one."""

    median: float
    p95: float
    calls: int


@dataclass(frozen=True)
class MeasuredCost:
    """latency: by number of threads. device: the processor in words, and its cores.

    memory: peak resident MiB of a process that loads the file and runs it on the first number of threads, interpreter
    and libraries included; growth: the part of it that came after the runtime had been imported.
    """

    latency: dict[int, Latency]
    memory: float
    growth: float
    device: str


def measure_cost(format_name: str, path: Path, size: int, threads: Sequence[int] = (1, 2)) -> MeasuredCost:
    """The cost of one uint8 crop of size x size through the file at `path`, of the format with that name.

    Takes about five seconds for each number of threads. FramelightError where the file cannot be opened or run.
    """
    found = {number: _measure_in_process(format_name, path, size, number) for number in threads}
    first = found[threads[0]]
    return MeasuredCost(
        {number: Latency(**one["latency"]) for number, one in found.items()},
        first["memory"],
        first["growth"],
        device_name(),
    )


def device_name() -> str:
    """The processor and its cores, in words."""
    from harness.tracking.environment import environment

    about = environment()
    cores = about["cores"]
    return f"{about['processor']}, {plural(cores, 'core')}"


def _measure_in_process(format_name: str, path: Path, size: int, threads: int) -> dict:
    done = run_module_in_subprocess(PROCESS, format_name, path, size, threads)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it was killed: out of memory?"])[-1]
        raise FramelightError(f"the cost of {path} could not be measured ({last[-LONGEST_REASON:]})")
    return json.loads(done.stdout.splitlines()[-1])


WARM_CALLS, WARM_SECONDS = 10, 1.0
FEWEST_CALLS, MOST_CALLS, SECONDS = 50, 1000, 3.0


def main(format_name: str, path: Path, size: int, threads: int) -> dict[str, object]:
    """{"latency": {"median", "p95" (ms), "calls"}, "memory", "growth" (MiB)}."""
    exported = format_named(format_name)
    import_module(exported.runtime)
    before = _resident_mib("VmRSS")
    run = exported.open(path, threads)
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    milliseconds = time_calls(lambda: run(crop))
    peak = _resident_mib("VmHWM")
    latency = {
        "median": statistics.median(milliseconds),
        "p95": float(np.percentile(milliseconds, 95)),
        "calls": len(milliseconds),
    }
    return {"latency": latency, "memory": peak, "growth": max(peak - before, 0.0)}


def time_calls(work: Callable[[], object]) -> list[float]:
    """Milliseconds of each call, after enough that do not count for caches and clocks to have settled."""
    began, calls = time.perf_counter(), 0
    while calls < WARM_CALLS or time.perf_counter() - began < WARM_SECONDS:
        work()
        calls += 1
    found: list[float] = []
    began = time.perf_counter()
    while len(found) < FEWEST_CALLS or (len(found) < MOST_CALLS and time.perf_counter() - began < SECONDS):
        start = time.perf_counter()
        work()
        found.append((time.perf_counter() - start) * 1e3)
    return found


def _resident_mib(which: str) -> float:
    """MiB of this process's resident memory: VmRSS now, VmHWM at its highest."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell resident memory (/proc/self/status)")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
