"""A video file as frames with their own time stamps, upright and RGB, whatever it was encoded with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from fractions import Fraction
from itertools import chain
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np

from harness.utils.errors import InputError
from harness.utils.text import plural
from harness.video.container import (
    MICROSECONDS,
    end_seconds,
    ends_with,
    expected_frames,
    frame_rate,
    open_container,
    pixel_aspect,
    video_stream,
)
from harness.video.frames import Frame
from harness.video.orientation import UPRIGHT, Orientation, from_display_matrix

if TYPE_CHECKING:
    from av import Packet, VideoFrame

MAX_MISSING_SECONDS = 0.5
"""Seconds at the end of a file that may be without a packet before it counts as broken off."""
UNFINISHED, GIF_END = "its last part is not whole", b";"
NO_FRAME = Frame(0, -math.inf, np.empty((0, 0, 3), np.uint8))


class VideoSource:
    """The frames of a video file. What follows damage is read too, as far as it can be; `notes` says what was lost.
    Closed while it is read, it ends.

    crops: whether each frame is one face already. InputError, when it is made, for what is no video and for one
    without a frame that can be decoded.
    """

    live = False

    def __init__(self, path: Path, name: str = "", crops: bool = False) -> None:
        self.name, self.kind, self.notes = name or str(path), "crops" if crops else "video", []
        self._path = path
        self._open, self._reading, self._closed = ExitStack(), Lock(), False
        self._last, self._damaged, self._reached, self._broken = NO_FRAME, [], 0.0, ""
        self._unstamped, self._resized = 0, []
        try:
            self._container = self._open.enter_context(open_container(path, self.name))
            self._stream = video_stream(self._container, self.name)
            self.rate = frame_rate(self._stream)
            self.frames = expected_frames(self._container, self._stream, self.rate)
            self._frames = self._read()
            first = next(self._frames, None)
            if first is None:
                raise InputError(
                    f"{self.name}: not one frame of this video can be decoded; it is damaged or empty, "
                    "take another copy"
                )
            self._frames = chain([first], self._frames)
        except BaseException:
            self._open.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._reading:
            self._closed = True
            self._open.close()

    def __iter__(self) -> Iterator[Frame]:
        while True:
            with self._reading:  # a file closed by one thread while another decodes it would end the process
                frame = None if self._closed else next(self._frames, None)
            if frame is None:
                return
            yield frame

    def _read(self) -> Iterator[Frame]:
        from av.video.reformatter import VideoReformatter

        reformat, turn = VideoReformatter().reformat, UPRIGHT  # one for all frames: three times as fast as one each
        shape = pixel_aspect(self._stream)
        for number, decoded in enumerate(self._decoded(), 1):
            if decoded.key_frame or number == 1:
                turn = _display_orientation(decoded)
            pixels = turn(reformat(decoded, width=round(decoded.width * shape), format="rgb24").to_ndarray())
            frame = Frame(number, self._seconds(decoded), pixels)
            if number > 1 and frame.size != self._last.size:
                self._resized.append(
                    f"at frame {_position_text(frame)}, from {_size_text(self._last)} to {_size_text(frame)} pixels"
                )
            self._last = frame
            yield frame
        self._close_notes()

    def _decoded(self) -> Iterator[VideoFrame]:
        """Every frame that can be decoded; a damaged packet is passed over, a file that breaks off ends there."""
        import av

        for packet in chain(self._packets(), [None]):
            try:
                yield from self._stream.decode(packet)
            except av.FFmpegError:
                self._damaged.append(self._last)

    def _packets(self) -> Iterator[Packet]:
        """Those of the video; the others' only tell how far the file goes."""
        import av

        try:
            for packet in self._container.demux():
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is not None:
                    self._reached = max(self._reached, float((stamp + (packet.duration or 0)) * packet.time_base))
                if packet.stream is self._stream and packet.size:
                    self._broken = UNFINISHED if packet.is_corrupt else ""
                    yield packet
            if self._container.format.name == "gif" and not ends_with(self._path, GIF_END):
                self._broken = UNFINISHED  # nothing in a GIF says how long it is
        except av.FFmpegError as error:
            self._broken = error.strerror or str(error)

    def _seconds(self, decoded: VideoFrame) -> float:
        """Since the file's start, as players count; where a stamp is missing or does not ascend, by the rate."""
        start = Fraction(self._container.start_time or 0, MICROSECONDS)
        stamp = None if decoded.pts is None else float(decoded.pts * self._stream.time_base - start)
        seconds = -math.inf if stamp is None else round(stamp, 6) + 0.0  # no -0.0
        if seconds > self._last.seconds:
            return seconds
        self._unstamped += 1
        return self._last.seconds + 1 / self.rate if self.rate and self._last.number else 0.0 if self.rate else math.nan

    def _close_notes(self) -> None:
        last, end = self._last, end_seconds(self._container, self._stream, self.rate)
        short = max(self._reached, last.seconds) < end - MAX_MISSING_SECONDS
        if self._resized:
            more = f", and {len(self._resized) - 1} times more" if len(self._resized) > 1 else ""
            self.notes.append(f"the picture changes its size {self._resized[0]}{more}")
        damaged = [place for place in self._damaged if place is not last]
        if damaged:
            self.notes.append(
                f"{plural(len(damaged), 'damaged part', 'd')} of the file could not be "
                f"decoded, the first after frame {_position_text(damaged[0])}"
            )
        if short or self._broken or len(damaged) < len(self._damaged):
            why = f" of {end:.2f} s" if short else f" ({self._broken or UNFINISHED})"
            self.notes.append(f"the file breaks off after frame {_position_text(last)}{why}; what was there was read")
        if self._unstamped and last.number:
            self.notes.append(
                f"{self._unstamped} of {last.number} frames have no time stamp that ascends; their time "
                + (f"is that of {self.rate:g} frames a second" if self.rate else "is left empty")
            )


def _display_orientation(decoded: VideoFrame) -> Orientation:
    matrix = decoded.side_data.get("DISPLAYMATRIX")
    return UPRIGHT if matrix is None else from_display_matrix(np.frombuffer(matrix, np.int32))


def _size_text(frame: Frame) -> str:
    return f"{frame.size[0]}x{frame.size[1]}"


def _position_text(frame: Frame) -> str:
    return f"{frame.number}" + (f" ({frame.seconds:.2f} s)" if math.isfinite(frame.seconds) else "")
