"""What one crop costs on this machine, by any exported file: time and memory, each in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.utils.errors import FramelightError
from harness.utils.parallel import run_module

PROCESS = "harness.export.measured_process"
LONGEST_REASON = 300


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one crop, once warm, over `calls` calls that were timed one by one."""

    median: float
    p95: float
    calls: int


@dataclass(frozen=True)
class Cost:
    """latency: by number of threads. device: the processor in words, and its cores.

    memory: peak resident MiB of a process that loads the file and runs it on the first number of threads, interpreter
    and libraries included; growth: the part of it that came after the runtime had been imported.
    """

    latency: dict[int, Latency]
    memory: float
    growth: float
    device: str


def measure(format_name: str, path: Path, size: int, threads: Sequence[int] = (1, 2)) -> Cost:
    """The cost of one uint8 crop of size x size through the file at `path`, of the format with that name.

    Takes about five seconds for each number of threads. FramelightError where the file cannot be opened or run.
    """
    found = {number: _measured(format_name, path, size, number) for number in threads}
    first = found[threads[0]]
    return Cost({number: Latency(**one["latency"]) for number, one in found.items()}, first["memory"], first["growth"],
                device())


def device() -> str:
    """The processor and its cores, in words."""
    from harness.tracking.environment import environment

    about = environment()
    cores = about["cores"]
    return f"{about['processor']}, {cores} core{'' if cores == 1 else 's'}"


def _measured(format_name: str, path: Path, size: int, threads: int) -> dict:
    done = run_module(PROCESS, format_name, path, size, threads)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["it was killed: out of memory?"])[-1]
        raise FramelightError(f"the cost of {path} could not be measured ({last[-LONGEST_REASON:]})")
    return json.loads(done.stdout.splitlines()[-1])
