"""Process pool whose workers end with this process and, without a traceback, on Ctrl-C."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from multiprocessing.context import BaseContext
from types import ModuleType, TracebackType
from typing import Any

from harness.utils.process_environment import prepare_process
from harness.utils.worker_interrupts import blocked_interrupts, handle_interrupts, run_interruptible


class WorkerPool(ProcessPoolExecutor):
    """Process pool whose workers exit when this process ends, even if it is killed.

    A thread in each worker waits until its pipe to this process closes, and then ends the worker. If the context of the
    pool is left by an exception, waiting tasks are canceled; Ctrl-C also ends running tasks, with KeyboardInterrupt.

    Parameters
    ----------
    workers : int
        Number of worker processes.
    preload : sequence of str, optional
        Names of modules that are imported once for all workers, where the system can fork.
    initializer : callable, optional
        Called without arguments when a worker starts.
    """

    def __init__(
        self, workers: int, preload: Sequence[str] = (), initializer: Callable[[], object] | None = None
    ) -> None:
        prepare_process()
        context = _start_context(preload)
        worker_end, self._parent_end = context.Pipe(duplex=False)
        initargs = (worker_end, initializer)
        super().__init__(workers, mp_context=context, initializer=_initialize_worker, initargs=initargs)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        """Submit a function to a worker process."""
        with _hide_main_module(), blocked_interrupts():  # of which the new processes are copies
            return super().submit(run_interruptible, fn, *args, **kwargs)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Shut the pool down, and end running tasks unless the context was left normally or by an `Exception`."""
        if kind is not None and not issubclass(kind, Exception):
            # a worker that has just been started missed a terminal's Ctrl-C
            for worker in multiprocessing.active_children():
                if worker.pid is not None:
                    with suppress(ProcessLookupError):
                        os.kill(worker.pid, signal.SIGINT)
        self.shutdown(cancel_futures=kind is not None)


def _start_context(preload: Sequence[str]) -> BaseContext:
    """Return the context that starts workers: a fork server with preloaded modules; on Windows, spawn."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    from multiprocessing import forkserver, resource_tracker

    context = multiprocessing.get_context("forkserver")
    if preload:
        context.set_forkserver_preload(list(preload))
    resource_tracker.ensure_running()  # or the fork server starts it, and it unblocks Ctrl-C
    with _hide_main_module(), blocked_interrupts():
        forkserver.ensure_running()
    return context


@contextmanager
def _hide_main_module() -> Iterator[None]:
    """Hide the user's script from new worker processes, which would import it and start further processes."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _initialize_worker(parent: Connection, initializer: Callable[[], object] | None) -> None:
    handle_interrupts()
    threading.Thread(target=_exit_with_parent, args=(parent,), daemon=True).start()
    if initializer is not None:
        initializer()


def _exit_with_parent(parent: Connection) -> None:
    """Wait until the pipe closes (nothing is ever sent through it), then exit."""
    parent.poll(None)
    os._exit(1)
