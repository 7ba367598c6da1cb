"""Frames, whatever they come from: what a video, a folder of pictures and a camera have in common."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from harness.utils.errors import InputError

DEFAULT_RATE = 25.0
"""Frames a second where nothing says how many."""


@dataclass(frozen=True, eq=False)
class Frame:
    """number: from 1 on, of a crop that of its file; seconds: since the input began, NaN where it has no time.

    pixels: uint8 [H, W, 3] RGB, upright, with a size of its own; arrived: time.monotonic() of the moment it was there
    to be read, NaN where nothing is live.
    """

    number: int
    seconds: float
    pixels: np.ndarray
    arrived: float = math.nan

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


class Source(Protocol):
    """Frames in the order of their numbers, read once while they are asked for; a context that closes what it opened.

    name: as the user named it; kind: `video`, `image`, `images`, `crops` (every frame is one face already) or
    `camera`; frames: how many are expected, None where nothing says so; rate: frames a second, None for pictures;
    live: whether frames come by themselves and are gone when nobody takes them; notes: what the user should be told,
    complete once the frames are read.
    """

    name: str
    kind: str
    frames: int | None
    rate: float | None
    live: bool
    notes: list[str]

    def __iter__(self) -> Iterator[Frame]: ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class TimeLimitedSource:
    """Those frames of a source that are shown before `seconds`; InputError where its frames have no time."""

    def __init__(self, source: Source, seconds: float) -> None:
        if not (seconds > 0 and math.isfinite(seconds)):
            raise InputError(f"--seconds {seconds:g}: give more than 0 seconds")
        if source.kind in ("image", "images", "crops") and source.rate is None:
            raise InputError(f"{source.name}: images have no time, so --seconds means nothing; leave it out")
        self.source, self.seconds = source, seconds
        self.name, self.kind, self.rate, self.live, self.notes = (
            source.name,
            source.kind,
            source.rate,
            source.live,
            source.notes,
        )
        frames = None if source.rate is None or source.live else max(1, math.ceil(seconds * source.rate))
        self.frames = frames if source.frames is None else min(source.frames, frames or source.frames)

    def __enter__(self) -> Self:
        self.source.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.source.__exit__(kind, error, trace)

    def __iter__(self) -> Iterator[Frame]:
        for frame in self.source:
            if frame.seconds >= self.seconds:
                return
            yield frame
