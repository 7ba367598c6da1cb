"""Limit the threads of libraries, and run modules in a subprocess.

NumPy multiplies matrices with a few hundred rows in less time than threads need to synchronize. On a busy machine,
threads wait for each other tens of times longer than they compute.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import numpy  # noqa: F401 - threadpoolctl only finds libraries that are loaded
from threadpoolctl import ThreadpoolController

from harness.utils.process_environment import prepare_process


def limit_blas_threads() -> AbstractContextManager:
    """Return a context in which a BLAS call uses one thread, whichever thread of this process makes it."""
    return _threadpool_controller().limit(limits=1, user_api="blas")


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Set the number of threads on which torch computes within the context."""
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
"""Folder of the packages `harness` and `backbones`."""


def run_module_in_subprocess(
    module: str, *arguments: object, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m MODULE ARGUMENTS`` in a subprocess and capture its output.

    Parameters
    ----------
    module : str
    *arguments : object
        Converted to strings.
    environment : mapping of str to str, optional
        Environment variables. Default: the variables of this process after `prepare_process`.

    Returns
    -------
    subprocess.CompletedProcess of str
        Result with any exit status. The working directory is not on the module search path of the subprocess.
    """
    if environment is None:
        prepare_process()
        environment = os.environ
    paths = [str(SOURCE_ROOT), environment.get("PYTHONPATH", "")]
    return subprocess.run(
        [sys.executable, "-P", "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
    )
