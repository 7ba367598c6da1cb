"""Let Ctrl-C end a command even where Python ignores exceptions."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType


@dataclass
class Interrupts:
    """Record of whether Ctrl-C was pressed; libraries can turn the KeyboardInterrupt into another error."""

    received: bool = False

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Raise KeyboardInterrupt, as Python's own handler does."""
        self.received = True
        signal.default_int_handler(number, frame)


@contextmanager
def lasting_interrupts() -> Iterator[Interrupts]:
    """While the context lasts, interrupt the main thread again after a KeyboardInterrupt that Python ignores.

    Python ignores exceptions that are raised in finalizers and in some callbacks: those of weak references, of the
    garbage collector and of C code. It only prints them and continues. Libraries have many such functions.
    """
    before, interrupts = sys.unraisablehook, Interrupts()
    has_default = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    installed = has_default and threading.current_thread() is threading.main_thread()

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_later, ())  # unlike `threading.Thread`, this takes no lock
        else:
            before(unraisable)

    sys.unraisablehook = hook
    if installed:
        signal.signal(signal.SIGINT, interrupts.handle)
    try:
        yield interrupts
    finally:
        sys.unraisablehook = before
        if installed:
            signal.signal(signal.SIGINT, signal.default_int_handler)


def _interrupt_later() -> None:
    """Interrupt the main thread after a pause in which it can leave the function that ignores exceptions."""
    time.sleep(0.01)
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:  # also ends a wait of the main thread
        signal.pthread_kill(main_thread, signal.SIGINT)
    else:
        _thread.interrupt_main()
