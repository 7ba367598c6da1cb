"""Frames and sources of frames: the interface that videos, folders of images and cameras share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from harness.utils.errors import InputError

DEFAULT_RATE = 25.0
"""Frames per second that are assumed if the rate is unknown."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One frame of a source.

    Attributes
    ----------
    number : int
        Number of the frame, from 1. For a crop file that is named by a frame number (`00001.jpg`), that number.
    seconds : float
        Time since the start of the input; NaN if it has no time.
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB, upright. Frames of a source may differ in size.
    arrived : float
        Value of `time.monotonic()` when the frame became available; NaN unless the source is live.
    duration : float
        Seconds until the next frame of the source; NaN if that is not known.
    """

    number: int
    seconds: float
    pixels: np.ndarray
    arrived: float = math.nan
    duration: float = math.nan

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.pixels.shape[1], self.pixels.shape[0]


def with_durations(frames: Iterable[Frame]) -> Iterator[Frame]:
    """Add the duration of each frame, which is known once the next one is read; the last frame is unchanged."""
    waiting: Frame | None = None
    for frame in frames:
        if waiting is not None:
            yield replace(waiting, duration=frame.seconds - waiting.seconds)
        waiting = frame
    if waiting is not None:
        yield waiting


class Source(Protocol):
    """Context manager that iterates over frames in ascending order.

    The frames are decoded on demand and can be read only once.

    Attributes
    ----------
    name : str
        Name as the user gave it.
    kind : {"video", "image", "images", "crops", "camera"}
        `crops`: every frame is already the crop of a face.
    frames : int or None
        Expected number of frames; None if unknown.
    rate : float or None
        Frames per second; None for images, and if unknown.
    live : bool
        Whether frames arrive in real time and are lost if they are not read in time.
    notes : list of str
        Messages for the user, complete once all frames are read.
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
    """The first seconds of a source.

    Parameters
    ----------
    source : Source
    seconds : float
        Frames shown before this time are read.

    Raises
    ------
    InputError
        If `seconds` is not positive and finite, or if the frames have no time.
    """

    def __init__(self, source: Source, seconds: float) -> None:
        if not (seconds > 0 and math.isfinite(seconds)):
            raise InputError(f"--seconds {seconds:g}: give a finite number of seconds above 0")
        if source.kind in ("image", "images", "crops") and source.rate is None:
            raise InputError(f"{source.name}: images have no time, so --seconds cannot be used; leave it out")
        self.source, self.seconds = source, seconds
        self.name, self.kind, self.notes = source.name, source.kind, source.notes
        self.rate, self.live = source.rate, source.live
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
