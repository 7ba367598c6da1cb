"""How long the command takes to answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

from harness.bench.figure import ROUNDS, Figure, seconds


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    command = [sys.executable, "-m", "harness.cli", "--help"]
    bare = [sys.executable, "-c", "pass"]

    def taken(arguments: list[str]) -> float:
        return seconds(lambda: subprocess.run(arguments, check=True, capture_output=True), ROUNDS)

    yield Figure("startup", "framelight --help, a process of its own", taken(command), "s", limit=0.5,
                 floor=taken(bare), note="the floor is an interpreter that does nothing")
