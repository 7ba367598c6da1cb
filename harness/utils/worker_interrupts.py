"""Let Ctrl-C, which a terminal sends to all processes of a command, end the tasks of worker processes.

A worker that waits for a task is not interrupted: it may hold a lock of the pool, for which the others would wait
forever. It ends when the pool is shut down.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_is_working = False
_was_interrupted = False


@contextmanager
def blocked_interrupts() -> Iterator[None]:
    """While the context lasts, hold back Ctrl-C; processes that are started in it hold it back until they unblock it.

    On Windows, where signals cannot be blocked, the context has no effect on the processes.
    """
    with _deferred_interrupts():
        if not hasattr(signal, "pthread_sigmask"):
            yield
            return
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _deferred_interrupts() -> Iterator[None]:
    """Handle Ctrl-C at the end of the context, also if a thread of a library, which does not block it, receives it."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    received = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            signal.raise_signal(signal.SIGINT)


def handle_interrupts() -> None:
    """Let Ctrl-C end the task of this worker process, and any later one, with KeyboardInterrupt.

    Tasks must be called by `run_interruptible`.
    """
    signal.signal(signal.SIGINT, _handle_interrupt)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _handle_interrupt(number: int, frame: FrameType | None) -> None:
    global _is_working, _was_interrupted
    _was_interrupted = True
    if _is_working:
        _is_working = False
        raise KeyboardInterrupt


def run_interruptible(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function in a worker process in which `handle_interrupts` was called."""
    global _is_working
    try:
        _is_working = True
        if _was_interrupted:
            raise KeyboardInterrupt
        return fn(*args, **kwargs)
    finally:
        _is_working = False
