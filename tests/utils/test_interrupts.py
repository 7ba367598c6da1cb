import gc
import signal
import sys
import time
import weakref

import pytest

from harness.utils.interrupts import lasting_interrupts


class Finalizer:
    def __init__(self, error):
        self.error = error

    def __del__(self):
        raise self.error


def finalizer():
    Finalizer(KeyboardInterrupt())


def weak_callback():
    holder = type("Holder", (), {})()
    reference = weakref.ref(holder, lambda _: signal.raise_signal(signal.SIGINT))
    del holder
    return reference


def collector_callback():
    def callback(phase, info):
        gc.callbacks.remove(callback)
        signal.raise_signal(signal.SIGINT)

    gc.callbacks.append(callback)
    gc.collect()


@pytest.mark.parametrize("interrupt", [finalizer, weak_callback, collector_callback])
def test_interrupt_that_python_ignores_ends_the_context(interrupt, monkeypatch):
    monkeypatch.setattr(sys, "unraisablehook", pytest.fail)
    with pytest.raises(KeyboardInterrupt), lasting_interrupts():
        interrupt()
        time.sleep(5)
        pytest.fail("the interrupt was ignored")


def test_other_ignored_exceptions_are_printed_as_before(monkeypatch):
    printed = []
    monkeypatch.setattr(sys, "unraisablehook", printed.append)
    with lasting_interrupts():
        Finalizer(ValueError())
    assert [unraisable.exc_type for unraisable in printed] == [ValueError] and sys.unraisablehook == printed.append
