"""One exported file, opened and timed, as a process of its own: its latency and its memory, as JSON.

    python -m harness.export.measured_process FORMAT FILE SIZE THREADS
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import numpy as np

from harness.export.formats import format_named

WARM_CALLS, WARM_SECONDS = 10, 1.0
FEWEST_CALLS, MOST_CALLS, SECONDS = 50, 1000, 3.0


def main(format_name: str, path: Path, size: int, threads: int) -> dict[str, object]:
    """{"latency": {"median", "p95" (ms), "calls"}, "memory", "growth" (MiB)}."""
    exported = format_named(format_name)
    import_module(exported.runtime)
    before = _resident("VmRSS")
    run = exported.open(path, threads)
    crop = np.random.default_rng(0).integers(0, 256, (1, size, size, 3), np.uint8)
    milliseconds = timed(lambda: run(crop))
    peak = _resident("VmHWM")
    latency = {"median": statistics.median(milliseconds), "p95": float(np.percentile(milliseconds, 95)),
               "calls": len(milliseconds)}
    return {"latency": latency, "memory": peak, "growth": max(peak - before, 0.0)}


def timed(work: Callable[[], object]) -> list[float]:
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


def _resident(which: str) -> float:
    """MiB of this process's resident memory: VmRSS now, VmHWM at its highest."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{which}:"):
            return int(line.split()[1]) / 1024
    raise RuntimeError("this system does not tell resident memory (/proc/self/status)")


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))))
