import gc
import signal
import sys
import time
import weakref

import pytest

from backbones import BackboneError
from harness.cli.main import main
from harness.utils.errors import InputError
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


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (BackboneError("the network cannot be exported"), 130, "interrupted"),
        (RuntimeError("KeyboardInterrupt in a callback"), 130, "interrupted"),
        (InputError("no such run"), 2, "no such run"),
        (OSError(28, "No space left on device"), 1, "cannot write"),
    ],
)
def test_errors_that_libraries_make_of_an_interrupt(monkeypatch, capsys, error, code, message):
    def interrupted(arguments):
        try:
            signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            raise error from None

    monkeypatch.setattr("harness.cli.recipes.main", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        assert main(["recipes"]) == code and message in capsys.readouterr().err
        assert signal.default_int_handler is signal.signal(signal.SIGINT, before)
    finally:
        signal.signal(signal.SIGINT, before)
