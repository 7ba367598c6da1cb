"""Let Ctrl-C end a command even where Python ignores exceptions."""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_interrupts() -> Iterator[None]:
    """While the context lasts, interrupt the main thread again after a KeyboardInterrupt that Python ignores.

    Python ignores exceptions that are raised in finalizers and in some callbacks: those of weak references, of the
    garbage collector and of C code. It only prints them and continues. Libraries have many such functions.
    """
    before = sys.unraisablehook

    def hook(unraisable: sys.UnraisableHookArgs) -> None:
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _thread.start_new_thread(_interrupt_later, ())  # unlike `threading.Thread`, this takes no lock
        else:
            before(unraisable)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before


def _interrupt_later() -> None:
    """Interrupt the main thread after a pause in which it can leave the function that ignores exceptions."""
    time.sleep(0.01)
    main_thread = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main_thread is not None:  # also ends a wait of the main thread
        signal.pthread_kill(main_thread, signal.SIGINT)
    else:
        _thread.interrupt_main()
