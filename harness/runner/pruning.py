"""Channel between workers and a search: workers report epoch scores, the search answers whether to prune."""

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
"""Called with trial number, epoch and value; returns whether to prune the trial."""
SHUTDOWN_TIMEOUT_SECONDS = 2
ANSWER_TIMEOUT_SECONDS = 300
_CONNECTION_ERRORS = (OSError, EOFError, AuthenticationError)


@dataclass(frozen=True)
class PruningClient:
    """Reports the epochs of one trial from a worker to the `pruning_server`.

    Attributes
    ----------
    address : str
        Address of the server.
    key : bytes
        Authentication key.
    number : int
        Number of the trial.
    """

    address: str
    key: bytes
    number: int

    def __call__(self, epoch: int, value: float) -> bool:
        """Report the value of an epoch; return whether to stop the training.

        Raises
        ------
        FramelightError
            If the server does not answer.
        """
        try:
            with Client(self.address, authkey=self.key) as connection:
                connection.send((self.number, epoch, float(value)))
                if connection.poll(ANSWER_TIMEOUT_SECONDS):
                    return bool(connection.recv())
        except _CONNECTION_ERRORS as error:
            raise FramelightError(
                f"trial {self.number}: the search process is gone; run the command again to resume the search"
            ) from error
        raise FramelightError(
            f"trial {self.number}: the search process did not answer within {ANSWER_TIMEOUT_SECONDS} s; run the "
            "command again to resume the search"
        )


@contextmanager
def pruning_server(answer: PruningCallback) -> Iterator[Callable[[int], PruningClient]]:
    """Context manager with a background thread that answers the reports of workers.

    Parameters
    ----------
    answer : callable
        Called with trial number, epoch and value; returns whether to prune. If it raises, this and all further
        answers are False, and the error is raised on leaving the context.

    Yields
    ------
    callable
        Called with the number of a trial; returns its `PruningClient`.
    """
    key, ended = os.urandom(32), threading.Event()
    errors: list[Exception] = []
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
    """Connect once to end the listener's wait; runs in its own thread because the handshake may block."""
    with suppress(*_CONNECTION_ERRORS):
        Client(address, authkey=key).close()
