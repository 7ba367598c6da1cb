"""Decode video files with FFmpeg into upright RGB frames with time stamps."""

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

from harness.data.orientation import UPRIGHT, Orientation, from_display_matrix
from harness.utils.errors import InputError
from harness.utils.text import plural
from harness.video.container import (
    AVI,
    MICROSECONDS,
    end_seconds,
    ends_with,
    expected_frames,
    frame_rate,
    open_container,
    pixel_aspect,
    video_stream,
)
from harness.video.frames import Frame, with_durations

if TYPE_CHECKING:
    from av import Packet, VideoFrame

MAX_MISSING_SECONDS = 0.5
"""A file is considered truncated if more than this many seconds at its end have no packet."""
UNFINISHED, GIF_END = "its last part is incomplete", b";"
REORDERING_CODECS = ("h264", "hevc", "vvc")
"""Codecs for which FFmpeg knows the order of presentation only after decoding."""
NO_FRAME = Frame(0, -math.inf, np.empty((0, 0, 3), np.uint8))


class VideoSource:
    """Frames of a video file.

    Damaged parts are skipped; `notes` says what could not be read. Closing the source while another thread reads it
    ends the iteration. See `harness.video.frames.Source` for the other attributes.

    Parameters
    ----------
    path : Path
    name : str, default=""
        Name in messages; by default the path.
    crops : bool, default=False
        Whether every frame is already the crop of a face.

    Attributes
    ----------
    path : Path

    Raises
    ------
    InputError
        If the file is not a video, its frames are too large, or no frame can be decoded.
    """

    def __init__(self, path: Path, name: str = "", crops: bool = False) -> None:
        self.name, self.kind, self.live = name or str(path), "crops" if crops else "video", False
        self.notes: list[str] = []
        self.path = path
        self._open, self._reading, self._closed = ExitStack(), Lock(), False
        self._last, self._reached, self._broken = NO_FRAME, 0.0, ""
        self._damaged: list[Frame] = []
        self._unstamped = 0
        self._first_dts: int | None = None
        self._avi_delay: int | None = None
        self._resized: list[str] = []
        try:
            self._container = self._open.enter_context(open_container(path, self.name))
            self._stream = video_stream(self._container, self.name)
            self.rate = frame_rate(self._stream)
            self.frames = expected_frames(self._container, self._stream, self.rate)
            self._is_avi = self._container.format.name == AVI
            frames = with_durations(self._read())
            first = next(frames, None)
            if first is None:
                raise InputError(
                    f"{self.name}: no frame of this video can be decoded; it is damaged or empty, use another copy"
                )
            self._frames = chain([first], frames)
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
            with self._reading:  # closing a file in one thread while another decodes it would crash the process
                frame = None if self._closed else next(self._frames, None)
            if frame is None:
                return
            yield frame

    def _read(self) -> Iterator[Frame]:
        from av.video.reformatter import VideoReformatter

        reformat = VideoReformatter().reformat  # three times as fast as a reformatter for each frame
        orient, aspect = UPRIGHT, pixel_aspect(self._stream)
        for number, decoded in enumerate(self._decoded(), 1):
            if decoded.key_frame or number == 1:
                orient = _display_orientation(decoded)
            pixels = orient(reformat(decoded, width=round(decoded.width * aspect), format="rgb24").to_ndarray())
            frame = Frame(number, self._seconds(decoded), pixels)
            if number > 1 and frame.size != self._last.size:
                self._resized.append(
                    f"at frame {_position_text(frame)}, from {_size_text(self._last)} to {_size_text(frame)} pixels"
                )
            self._last = frame
            yield frame
        self._close_notes()

    def _decoded(self) -> Iterator[VideoFrame]:
        """Yield every frame that can be decoded; damaged packets are skipped, a truncated file ends early."""
        import av

        for packet in chain(self._packets(), [None]):
            try:
                yield from self._stream.decode(packet)
            except av.FFmpegError:
                self._damaged.append(self._last)

    def _packets(self) -> Iterator[Packet]:
        """Yield the packets of the video stream; packets of other streams only show how far the file extends."""
        import av

        try:
            for packet in self._container.demux():
                stamp = packet.dts if packet.pts is None else packet.pts
                if stamp is not None:
                    assert packet.time_base is not None
                    self._reached = max(self._reached, float((stamp + (packet.duration or 0)) * packet.time_base))
                if packet.stream is self._stream and packet.size:
                    if self._first_dts is None:
                        self._first_dts = packet.dts
                    self._broken = UNFINISHED if packet.is_corrupt else ""
                    yield packet
            if self._container.format.name == "gif" and not ends_with(self.path, GIF_END):
                self._broken = UNFINISHED  # only the last byte of a GIF shows that it is complete
        except av.FFmpegError as error:
            self._broken = error.strerror or str(error)

    def _seconds(self, decoded: VideoFrame) -> float:
        """Return the time since the start of the file.

        If the time stamp is missing or does not ascend, the time is estimated from the rate (NaN if that is unknown).
        """
        start = Fraction(self._container.start_time or 0, MICROSECONDS)
        time_base = self._stream.time_base
        stamp = self._avi_stamp(decoded) if self._is_avi else decoded.pts
        exact = None if stamp is None or time_base is None else float(stamp * time_base - start)
        seconds = -math.inf if exact is None else round(exact, 6) + 0.0  # no -0.0
        if seconds > self._last.seconds:
            return seconds
        self._unstamped += not (self._is_avi and stamp is None)
        return self._last.seconds + 1 / self.rate if self.rate and self._last.number else 0.0 if self.rate else math.nan

    def _avi_stamp(self, decoded: VideoFrame) -> int | None:
        """Return the time stamp of a frame of an AVI file; None for its last frames if frames are reordered.

        AVI files have no presentation times, so FFmpeg estimates them (`pts`). For `REORDERING_CODECS`, the estimates
        are in the order of decoding and cannot be used. The frame's `dts` is used instead, the decoding time of the
        packet after which the decoder returned the frame. Both times are too late by a constant delay. The delay of the
        first frame is therefore subtracted.
        """
        reordered = self._stream.codec_context.codec.canonical_name in REORDERING_CODECS
        stamp = decoded.dts if reordered else decoded.pts
        if stamp is None or self._first_dts is None:
            return None
        if self._avi_delay is None:
            self._avi_delay = stamp - self._first_dts
        return stamp - self._avi_delay

    def _close_notes(self) -> None:
        last, end = self._last, end_seconds(self._container, self._stream, self.rate)
        short = max(self._reached, last.seconds) < end - MAX_MISSING_SECONDS
        if self._resized:
            more = f", and {len(self._resized) - 1} more times" if len(self._resized) > 1 else ""
            self.notes.append(f"the frame size changes {self._resized[0]}{more}")
        damaged = [frame for frame in self._damaged if frame is not last]
        if damaged:
            self.notes.append(
                f"{plural(len(damaged), 'damaged part', 'd')} of the file could not be "
                f"decoded, the first after frame {_position_text(damaged[0])}"
            )
        if short or self._broken or len(damaged) < len(self._damaged):
            reason = f" of {end:.2f} s" if short else f" ({self._broken or UNFINISHED})"
            self.notes.append(f"the file is truncated after frame {_position_text(last)}{reason}; use a complete copy")
        if self._unstamped and last.number:
            self.notes.append(
                f"{self._unstamped} of {last.number} frames have a missing or non-ascending time stamp; their time "
                + (f"is estimated from {self.rate:g} frames per second" if self.rate else "is left empty")
            )


def _display_orientation(decoded: VideoFrame) -> Orientation:
    matrix = decoded.side_data.get("DISPLAYMATRIX")
    if matrix is None:
        return UPRIGHT
    return from_display_matrix(np.frombuffer(matrix, np.int32))  # type: ignore[call-overload]  # PyAV: object


def _size_text(frame: Frame) -> str:
    return f"{frame.size[0]}x{frame.size[1]}"


def _position_text(frame: Frame) -> str:
    return f"{frame.number}" + (f" ({frame.seconds:.2f} s)" if math.isfinite(frame.seconds) else "")
