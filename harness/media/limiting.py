"""The first seconds of a source."""

from __future__ import annotations

import math
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from harness.media.frames import Frame, Source
from harness.utils.errors import InputError


class Limited:
    """Those frames of a source that are shown before `seconds`; InputError where its frames have no time."""

    def __init__(self, source: Source, seconds: float) -> None:
        if not (seconds > 0 and math.isfinite(seconds)):
            raise InputError(f"--seconds {seconds:g}: give more than 0 seconds")
        if source.kind in ("image", "images", "crops") and source.rate is None:
            raise InputError(f"{source.name}: images have no time, so --seconds means nothing; leave it out")
        self.source, self.seconds = source, seconds
        self.name, self.kind, self.rate, self.live, self.notes = (
            source.name, source.kind, source.rate, source.live, source.notes)
        frames = None if source.rate is None or source.live else max(1, math.ceil(seconds * source.rate))
        self.frames = frames if source.frames is None else min(source.frames, frames or source.frames)

    def __enter__(self) -> Self:
        self.source.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.source:
            if frame.seconds >= self.seconds:
                return
            yield frame
