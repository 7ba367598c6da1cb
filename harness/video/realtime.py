"""Play a source in real time and drop the frames that the reader is too slow for."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Condition, Event, Thread
from types import TracebackType
from typing import Self

from harness.utils.errors import InputError
from harness.video.frames import Frame, Source


class RealtimeSource:
    """Source that returns the newest frame on each request and drops older frames.

    A thread reads one frame ahead; a newer frame replaces one that was not requested in time. A source that is not live
    is paced by its time stamps, starting with the first request; its last frame is never dropped. Errors of the
    source are raised by the iteration. See `harness.video.frames.Source` for the other attributes.

    Parameters
    ----------
    source : Source

    Attributes
    ----------
    dropped : int
        Number of frames that were never returned.

    Raises
    ------
    InputError
        If the source is not live and has no frame rate.
    """

    live = True

    def __init__(self, source: Source) -> None:
        if not source.live and source.rate is None:
            raise InputError(
                f"{source.name}: it has no frame rate, so it cannot be played in real time; leave out --live"
            )
        self.source, self.dropped = source, 0
        self.name, self.kind, self.notes = source.name, source.kind, source.notes
        self.rate, self.frames = source.rate, source.frames
        self._changed, self._stopped = Condition(), Event()
        self._newest: Frame | None = None
        self._ended = False
        self._error: BaseException | None = None
        self._thread = Thread(target=self._pull, name="frames", daemon=True)

    def __enter__(self) -> Self:
        self.source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join()
        self.source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame]:
        self._thread.start()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._newest is not None or self._ended)
                frame, self._newest = self._newest, None
            if frame is None:
                if self._error is not None:
                    raise self._error
                return
            yield frame

    def _pull(self) -> None:
        error: BaseException | None = None
        try:
            start: float | None = None
            for frame in self.source:
                now = time.monotonic()
                start = now - frame.seconds if start is None else start
                if not self.source.live and self._stopped.wait(max(0.0, start + frame.seconds - now)):
                    break
                if self._stopped.is_set():
                    break
                self._put(frame if self.source.live else replace(frame, arrived=time.monotonic()))
        except BaseException as raised:
            error = raised
        with self._changed:
            self._ended, self._error = True, error
            self._changed.notify_all()

    def _put(self, frame: Frame) -> None:
        with self._changed:
            self.dropped += self._newest is not None
            self._newest = frame
            self._changed.notify_all()
