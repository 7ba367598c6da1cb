"""A source as if live: its frames come by its own clock, and those for which nobody was ready are dropped."""

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
    """The newest frame of a source whenever one is asked for; `dropped` counts those that were never handed out.

    A thread reads ahead of the reader by one frame only: a newer one takes its place. A source that is not live is
    held to its own time stamps, counted from when the first frame is asked for, and its last frame is never dropped.
    Frames say when they `arrived`. An error of the source is raised where the frames are read. InputError for a
    source without time.
    """

    live = True

    def __init__(self, source: Source) -> None:
        if not source.live and source.rate is None:
            raise InputError(
                f"{source.name}: it has no frame rate, so it cannot be played as if live; leave out --live"
            )
        self.source, self.dropped = source, 0
        self.name, self.kind, self.rate, self.frames, self.notes = (
            source.name,
            source.kind,
            source.rate,
            source.frames,
            source.notes,
        )
        self._changed, self._stopped = Condition(), Event()
        self._newest: Frame | None = None
        self._ended, self._error = False, None
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
        error = None
        try:
            began = None
            for frame in self.source:
                now = time.monotonic()
                began = now - frame.seconds if began is None else began
                if not self.source.live and self._stopped.wait(max(0.0, began + frame.seconds - now)):
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
