"""Executors that run jobs, in local processes by default."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from types import ModuleType
from typing import Any

from harness.utils.parallel import torch_threads
from harness.utils.process_environment import prepare_process
from harness.utils.worker_interrupts import blocked_interrupts, exit_on_interrupt, run_interruptible

THREADS_PER_JOB = 1
"""Threads of a job. The number is the same for any number of workers, so that the results are the same, too."""


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


class WorkerPool(ProcessPoolExecutor):
    """Process pool whose workers exit when this process ends, even if it is killed.

    A thread in each worker waits until its pipe to this process closes, and then ends the worker.

    Parameters
    ----------
    workers : int
        Number of worker processes.
    torch : bool, default=True
        Whether the workers run jobs, for which they import torch and use `THREADS_PER_JOB` threads.
    """

    def __init__(self, workers: int, torch: bool = True) -> None:
        prepare_process()
        with blocked_interrupts():
            context = _start_context(torch)
        worker_end, self._parent_end = context.Pipe(duplex=False)
        super().__init__(workers, mp_context=context, initializer=_initialize_worker, initargs=(worker_end, torch))

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Submit a function to a worker process."""
        with _hide_main_module(), blocked_interrupts():  # of which the new processes are copies
            return super().submit(run_interruptible, fn, *args, **kwargs)


def _start_context(torch: bool) -> BaseContext:
    """Return the context that starts workers: a fork server, with preloaded modules for jobs; on Windows, spawn."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver

    context = multiprocessing.get_context("forkserver")
    if torch:
        context.set_forkserver_preload(["harness.training.heads.train", "harness.jobs.execute"])
    with _hide_main_module():
        forkserver.ensure_running()
    return context


def local_executor(workers: int) -> Executor:
    """Return an executor with this number of worker processes; for one worker, it runs the jobs in this process."""
    return WorkerPool(workers) if workers > 1 else SerialExecutor()


@contextmanager
def _hide_main_module() -> Iterator[None]:
    """Hide the user's script from new worker processes, which would import it and start further processes."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _initialize_worker(parent: Connection, uses_torch: bool) -> None:
    exit_on_interrupt()
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    if uses_torch:
        import torch

        torch.set_num_threads(THREADS_PER_JOB)


def _exit_with_parent(parent: Connection) -> None:
    """Wait until the pipe closes (nothing is ever sent through it), then exit."""
    parent.poll(None)
    os._exit(1)
