"""Where jobs run: one `concurrent.futures` executor, local processes by default."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

from harness.utils.parallel import torch_threads

THREADS_PER_JOB = 1
"""Threads of a job, the same whatever the number of jobs, so that the results are."""


class SerialExecutor(Executor):
    """Runs each job at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        future: Future = Future()
        try:
            with torch_threads(THREADS_PER_JOB):
                future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class WorkerPool(ProcessPoolExecutor):
    """Processes that end when this one does, however it ends: each holds an end of a pipe that closes with us."""

    def __init__(self, workers: int) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["harness.training.heads.train", "harness.jobs.execute"])
        theirs, self._ours = context.Pipe(duplex=False)
        super().__init__(workers, mp_context=context, initializer=_initialize_worker, initargs=(theirs,))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        with _hide_main_module():
            return super().submit(fn, *args, **kwargs)


def local_executor(workers: int) -> Executor:
    """An executor of that many processes; this one where one is enough."""
    return WorkerPool(workers) if workers > 1 else SerialExecutor()


@contextmanager
def _hide_main_module() -> Iterator[None]:
    """Hide the user's script from processes that start, which would run it again and start others from it."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _initialize_worker(parent: Connection) -> None:
    import torch

    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    torch.set_num_threads(THREADS_PER_JOB)


def _exit_with_parent(parent: Connection) -> None:
    """Nothing is ever sent: the wait ends when the other end is gone."""
    parent.poll(None)
    os._exit(1)
