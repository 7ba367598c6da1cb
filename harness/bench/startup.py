"""How long the command takes to answer."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator

from harness.bench.figure import Figure, seconds


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    def command(*arguments: str) -> float:
        return seconds(lambda: subprocess.run([sys.executable, *arguments], check=True, capture_output=True), 5)

    ours = command("-m", "harness.cli", "--help")
    heavy = command("-c", "import torch, pytorch_lightning, mlflow, optuna")
    yield Figure("startup", "framelight --help", ours, "s", "importing the heavy libraries first", heavy, heavy / ours,
                 limit=0.5)
