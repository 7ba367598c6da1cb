"""What a video file says of itself: its stream, its rate, its length."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from harness.utils.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

PIXEL_ASPECT_RANGE = (1 / 3, 3)
"""Widths of a pixel in heights that are believed."""
MAX_RATE = 1000
MICROSECONDS = 1_000_000
MP4 = "mp4"
TEXT_FORMAT = "tty"
"""What FFmpeg reads any text as: the picture of a terminal."""


def open_container(path: Path, name: str) -> InputContainer:
    """An opened file; InputError for what FFmpeg does not know, and for text. No network is asked."""
    import av

    try:
        container = av.open(str(path.resolve()), container_options={"protocol_whitelist": "file"})
    except OSError as error:
        raise InputError(f"{name}: cannot be opened: {error.strerror or error}") from error
    except av.FFmpegError as error:
        raise _unreadable_error(name, error.strerror or str(error)) from error
    if not container.streams or container.format.name == TEXT_FORMAT:
        container.close()
        raise _unreadable_error(name, "nothing found in it")
    return container


def _unreadable_error(name: str, reason: str) -> InputError:
    return InputError(
        f"{name}: cannot be read as a video ({reason}); it is none, or its end is missing and with it "
        "the index of its frames. Take another copy, or a file that FFmpeg plays"
    )


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The video stream that players show; the cover of an album is none."""
    from av.stream import Disposition

    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None
    ]
    if not streams:
        held = ", ".join(sorted({stream.type for stream in container.streams}))
        raise InputError(f"{name}: has no video stream (it holds {held}); name a video, an image or a folder of images")
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    stream.thread_type = "AUTO"
    return stream


def ends_with(path: Path, end: bytes) -> bool:
    """Whether a file ends so, but for zeros after it."""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return file.read().rstrip(b"\0").endswith(end)


def frame_rate(stream: VideoStream) -> float | None:
    """Frames a second on average; None where the file says none that can be."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= MAX_RATE:
            return float(rate)
    return None


def end_seconds(container: InputContainer, stream: VideoStream, rate: float | None) -> float:
    """Where the file says that it ends, in the seconds of its packets; 0 where it does not say.

    Of some kinds FFmpeg works the duration out from what is there, but their header counts the frames; that of an mp4
    counts those too which an edit hides.
    """
    counted = 0.0 if rate is None or MP4 in container.format.name else stream.frames / rate
    return (container.start_time or 0) / MICROSECONDS + max((container.duration or 0) / MICROSECONDS, counted)


def expected_frames(container: InputContainer, stream: VideoStream, rate: float | None) -> int | None:
    """Frames that it should have; None where nothing says so."""
    if stream.frames:
        return stream.frames
    if container.duration and rate:
        return max(1, math.floor(container.duration / MICROSECONDS * rate + 0.5))
    return None


def pixel_aspect(stream: VideoStream) -> float:
    """Its width in heights; not 1 in anamorphic material, where faces would be squeezed."""
    shape = float(stream.sample_aspect_ratio or 1)
    return shape if PIXEL_ASPECT_RANGE[0] < shape < PIXEL_ASPECT_RANGE[1] else 1.0
