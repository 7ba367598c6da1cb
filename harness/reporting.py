"""A worker reports an epoch, the parent answers whether to stop: the only word a job exchanges while it runs."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Client, Listener


@dataclass(frozen=True)
class Reporter:
    """Handed to a worker; called with (epoch, value), returns True when the training should stop."""

    address: str
    key: bytes
    number: int

    def __call__(self, epoch: int, value: float) -> bool:
        with Client(self.address, authkey=self.key) as connection:
            connection.send((self.number, epoch, float(value)))
            return bool(connection.recv())


@contextmanager
def listening(answer: Callable[[int, int, float], bool]) -> Iterator[Callable[[int], Reporter]]:
    """Answer reports with `answer(number, epoch, value)` in a thread; yields what makes a Reporter for a number."""
    key = os.urandom(32)
    with Listener(authkey=key) as listener:
        thread = threading.Thread(target=_serve, args=(listener, answer), daemon=True)
        thread.start()
        try:
            yield lambda number: Reporter(str(listener.address), key, number)
        finally:
            with Client(str(listener.address), authkey=key) as connection:
                connection.send(None)
            thread.join()


def _serve(listener: Listener, answer: Callable[[int, int, float], bool]) -> None:
    while True:
        try:
            with listener.accept() as connection:
                message = connection.recv()
                if message is None:
                    return
                connection.send(answer(*message))
        except (EOFError, ConnectionError):
            continue
