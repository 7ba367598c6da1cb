"""A worker reports an epoch, the parent answers whether to stop: the only word a job exchanges while it runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Listener

from harness.utils.errors import FramelightError

PruningCallback = Callable[[int, int, float], bool]
SHUTDOWN_TIMEOUT_SECONDS = 2
ANSWER_TIMEOUT_SECONDS = 300
_CONNECTION_ERRORS = (OSError, EOFError, AuthenticationError)


@dataclass(frozen=True)
class PruningClient:
    """Handed to a worker; called with (epoch, value), returns True when the training should stop.

    FramelightError when nobody listens any more.
    """

    address: str
    key: bytes
    number: int

    def __call__(self, epoch: int, value: float) -> bool:
        try:
            with Client(self.address, authkey=self.key) as connection:
                connection.send((self.number, epoch, float(value)))
                if connection.poll(ANSWER_TIMEOUT_SECONDS):
                    return bool(connection.recv())
        except _CONNECTION_ERRORS as error:
            raise FramelightError(f"the search that trial {self.number} belongs to no longer listens") from error
        raise FramelightError(
            f"the search that trial {self.number} belongs to gave no answer in {ANSWER_TIMEOUT_SECONDS} s"
        )


@contextmanager
def pruning_server(answer: PruningCallback) -> Iterator[Callable[[int], PruningClient]]:
    """Answer reports with `answer(number, epoch, value)` in a thread; yields what makes a PruningClient for a number.

    Once `answer` has raised, every report is answered with False; its error is raised on leaving.
    """
    key, ended, errors = os.urandom(32), threading.Event(), []
    with Listener(authkey=key, backlog=128) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer, ended, errors), daemon=True)
        thread.start()
        try:
            yield lambda number: PruningClient(str(listener.address), key, number)
        finally:
            ended.set()
            threading.Thread(target=_unblock_listener, args=(str(listener.address), key), daemon=True).start()
            thread.join(SHUTDOWN_TIMEOUT_SECONDS)
    if errors:
        raise errors[0]


def _serve(listener: Listener, answer: PruningCallback, ended: threading.Event, errors: list[Exception]) -> None:
    while not ended.is_set():
        with suppress(*_CONNECTION_ERRORS), listener.accept() as connection:
            if not ended.is_set():
                connection.send(_answer_report(answer, connection.recv(), errors))


def _answer_report(answer: PruningCallback, message: tuple[int, int, float], errors: list[Exception]) -> bool:
    if errors:
        return False
    try:
        return answer(*message)
    except Exception as error:
        errors.append(error)
        return False


def _unblock_listener(address: str, key: bytes) -> None:
    """End the wait for a connection; in a thread of its own, as it may find nobody to shake hands with."""
    with suppress(*_CONNECTION_ERRORS):
        Client(address, authkey=key).close()
