"""Prefetch the items of an iterable in a background thread."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from queue import Empty, Full, Queue
from threading import Event, Thread
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

Item = TypeVar("Item")
POLL_SECONDS = 0.1
"""Seconds after which a waiting thread checks again whether it has to stop."""


class Prefetcher(Generic[Item]):
    """Context manager that iterates over items in a background thread.

    Errors of the thread are raised in the consumer. Leaving the context stops the thread.

    Parameters
    ----------
    items : iterable
    most : int
        Maximum number of items that are buffered.
    """

    def __init__(self, items: Iterable[Item], most: int) -> None:
        self._items = items
        self._queue: Queue[tuple[bool, Any]] = Queue(most)
        self._ended = Event()
        self._thread = Thread(target=self._work, name="ahead", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def __iter__(self) -> Iterator[Item]:
        while not self._ended.is_set():
            try:
                more, item = self._queue.get(timeout=POLL_SECONDS)
            except Empty:
                continue
            if more:
                yield item
            elif item is None:
                return
            else:
                raise item

    def _work(self) -> None:
        try:
            for item in self._items:
                if not self._put((True, item)):
                    return
            self._put((False, None))
        except BaseException as error:  # raised again in the consumer
            self._put((False, error))

    def _put(self, item: tuple[bool, Any]) -> bool:
        while not self._ended.is_set():
            try:
                self._queue.put(item, timeout=POLL_SECONDS)
                return True
            except Full:
                continue
        return False
