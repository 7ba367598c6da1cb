"""Threads and processes: limits on library threads, modules run in a subprocess.

numpy's products of a few hundred rows are over before threads have found each other; where other work wants the cores
they then wait for each other tens of times longer than they compute.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy  # noqa: F401 - its library must be loaded to be found
from threadpoolctl import ThreadpoolController


def limit_blas_threads() -> AbstractContextManager:
    """A context in which this process multiplies on one thread; it holds for all its threads."""
    return _threadpool_controller().limit(limits=1, user_api="blas")


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """A context in which torch computes on so many threads, whoever calls it from this thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@functools.cache
def _threadpool_controller() -> ThreadpoolController:
    return ThreadpoolController()


SOURCE_ROOT = Path(__file__).resolve().parents[2]


def run_module_in_subprocess(module: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """`python -m MODULE ARGUMENTS`, ended; its output is kept, and the working directory is on no search path."""
    places = [str(SOURCE_ROOT), os.environ.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-P", "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))},
    )
