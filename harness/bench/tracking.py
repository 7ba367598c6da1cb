"""The share of a fresh quickstart that goes to MLflow."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from harness.bench.figure import Figure


def measure(say: Callable[[str], None]) -> Iterator[Figure]:
    import os

    from harness.recipes import find_recipe
    from harness.runner import run

    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        outcome = run(find_recipe("quickstart"), None, Path(folder), None, os.cpu_count() or 1, False, say)
        whole = time.perf_counter() - began
    share = 100 * outcome.tracking_seconds / whole
    yield Figure("tracking", f"share of MLflow in a fresh quickstart of {whole:.0f} s", share, "%", limit=5.0)
