"""Executors that run jobs, in local processes by default."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from typing import Any

from harness.utils.parallel import torch_threads
from harness.utils.worker_pool import WorkerPool

THREADS_PER_JOB = 1
"""Threads of a job. The number is the same for any number of workers, so that the results are the same, too."""
JOB_MODULES = ("harness.training.heads.train", "harness.jobs.execute")
"""Modules that each job needs, imported once for all workers."""


class SerialExecutor(Executor):
    """Executor that runs each job immediately, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Run a function and return a completed future."""
        future: Future = Future()
        try:
            with torch_threads(THREADS_PER_JOB):
                future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def local_executor(workers: int) -> Executor:
    """Return an executor with this number of worker processes; for one worker, it runs the jobs in this process."""
    return WorkerPool(workers, JOB_MODULES, _limit_threads) if workers > 1 else SerialExecutor()


def _limit_threads() -> None:
    import torch

    torch.set_num_threads(THREADS_PER_JOB)
