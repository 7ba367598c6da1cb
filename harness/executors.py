"""Where jobs run: one `concurrent.futures` executor, local processes by default."""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

THREADS = 1
"""Threads of a job, the same whatever the number of jobs, so that the results are."""


class InProcess(Executor):
    """Runs each job at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            _one_thread()
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def local_executor(workers: int) -> Executor:
    """An executor of that many processes; they end when this process does, however it ends."""
    if workers <= 1:
        return InProcess()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["harness.heads.training", "harness.jobs.compute"])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start_worker, initargs=(os.getpid(),))


def _one_thread() -> None:
    import torch

    torch.set_num_threads(THREADS)


def _start_worker(parent: int) -> None:
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _one_thread()


def _end_with(parent: int) -> None:
    while True:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
        time.sleep(0.5)
