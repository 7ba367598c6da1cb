"""Messages between workers and the search that started them, with failures on either side."""

import threading
import time
from multiprocessing.connection import Client

import pytest

from harness.runner.pruning import pruning_server
from harness.utils.errors import FramelightError


def within(seconds, function):
    """Return or raise the result of `function`, run in a separate thread that may hang."""
    ended = []

    def run():
        try:
            ended.append(function())
        except Exception as error:
            ended.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert ended, f"still waiting after {seconds} s"
    return ended[0]


def test_client_gets_the_answer_for_its_trial():
    with pruning_server(lambda number, epoch, value: (number, epoch, value) == (3, 2, 0.5)) as reporter_for:
        assert reporter_for(3)(2, 0.5) is True
        assert reporter_for(3)(1, 0.5) is False
        assert reporter_for(4)(2, 0.5) is False


def test_callback_error_is_raised_at_exit():
    asked = []

    def answer(number, epoch, value):
        asked.append(epoch)
        raise OSError("database is locked")

    def use():
        with pruning_server(answer) as reporter_for:
            return [reporter_for(0)(epoch, 0.1) for epoch in (1, 2)]

    left = within(250, use)
    assert isinstance(left, OSError) and "locked" in str(left)
    assert asked == [1]


def test_body_error_takes_precedence_over_callback_error():
    def use():
        with pruning_server(lambda *_: 1 / 0) as reporter_for:
            assert reporter_for(0)(1, 0.1) is False
            raise KeyError("ours")

    assert isinstance(within(250, use), KeyError)


def test_foreign_and_dead_connections_are_ignored():
    with pruning_server(lambda *_: True) as reporter_for:
        reporter = reporter_for(0)
        with pytest.raises(Exception, match="digest"):
            Client(reporter.address, authkey=b"another")
        with Client(reporter.address, authkey=reporter.key):
            pass
        assert within(250, lambda: reporter(1, 0.1)) is True


def test_exit_does_not_wait_for_hanging_worker():
    began = time.monotonic()
    with pruning_server(lambda *_: True) as reporter_for:
        reporter = reporter_for(0)
        silent = Client(reporter.address, authkey=reporter.key)
    assert time.monotonic() - began < 100
    silent.close()


def test_client_without_server_raises():
    with pruning_server(lambda *_: True) as reporter_for:
        reporter = reporter_for(7)
    error = within(250, lambda: reporter(1, 0.1))
    assert isinstance(error, FramelightError) and "trial 7" in str(error)
