"""Let Ctrl-C, which a terminal sends to all processes of a command, end worker processes without a traceback."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

EXIT_CODE = 130
"""Exit code of a worker that was interrupted while it waited for work."""
_is_working = False


@contextmanager
def blocked_interrupts() -> Iterator[None]:
    """While the context lasts, hold back Ctrl-C; processes that are started in it hold it back until they unblock it.

    On Windows, where signals cannot be blocked, the context has no effect.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def exit_on_interrupt() -> None:
    """Let Ctrl-C end this worker process if it waits for work; within `run_interruptible` it raises KeyboardInterrupt.

    `concurrent.futures` sends a KeyboardInterrupt of a task to the parent process, but prints one of a waiting worker.
    """
    signal.signal(signal.SIGINT, _handle_interrupt)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})


def _handle_interrupt(number: int, frame: FrameType | None) -> None:
    if _is_working:
        raise KeyboardInterrupt
    raise SystemExit(EXIT_CODE)


def run_interruptible(fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    """Call a function in a worker process in which `exit_on_interrupt` was called."""
    global _is_working
    _is_working = True
    try:
        return fn(*args, **kwargs)
    finally:
        _is_working = False
