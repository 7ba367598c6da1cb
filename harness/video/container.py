"""Metadata of video files: stream, frame rate and length."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.regular_files import require_regular
from harness.data.image_decoding import MAX_PIXELS
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.stream import VideoStream

PIXEL_ASPECT_RANGE = (1 / 3, 3)
"""Plausible ratios of the width of a pixel to its height."""
MAX_RATE = 1000
"""Largest plausible frame rate, per second."""
MICROSECONDS = 1_000_000
MP4 = "mp4"
AVI = "avi"
TEXT_FORMAT = "tty"
"""FFmpeg's format for text files, which it would render as terminal output."""


def open_av(path: Path) -> InputContainer:
    """Open a regular file with FFmpeg, without network access; metadata that is not UTF-8 raises no error."""
    import av

    require_regular(path)
    return av.open(str(path.resolve()), metadata_errors="replace", container_options={"protocol_whitelist": "file"})


def open_container(path: Path, name: str) -> InputContainer:
    """Open a file with FFmpeg, which is not allowed to access the network.

    Parameters
    ----------
    path : Path
    name : str
        Name of the file in messages.

    Raises
    ------
    InputError
        If the file cannot be opened, is not in a format that FFmpeg reads, or is a text file.
    """
    import av

    try:
        container = open_av(path)
    except OSError as error:
        raise InputError(f"{name}: cannot be opened: {error.strerror or error}") from error
    except av.FFmpegError as error:
        raise _unreadable_error(name, error.strerror or str(error)) from error
    if not container.streams or container.format.name == TEXT_FORMAT:
        reason = "it is a text file" if container.format.name == TEXT_FORMAT else "it has no streams"
        container.close()
        raise _unreadable_error(name, reason)
    return container


def _unreadable_error(name: str, reason: str) -> InputError:
    return InputError(
        f"{name}: cannot be read as a video ({reason}). Either it is not a video, or its end, which holds the "
        "index of its frames, is missing. Use another copy, or a file that FFmpeg plays"
    )


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the video stream that players show, with multithreaded decoding; album covers are ignored.

    Raises
    ------
    InputError
        If the file has no video stream with a known codec, or its frames are too large.
    """
    from av.stream import Disposition

    streams = [
        stream
        for stream in container.streams.video
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None
    ]
    if not streams:
        types = ", ".join(sorted({stream.type for stream in container.streams}))
        raise InputError(
            f"{name}: has no video stream to read (it contains {types}); give a video, an image or a folder of images"
        )
    best = container.streams.best("video")
    stream = best if best in streams else streams[0]
    if stream.width * stream.height > MAX_PIXELS:
        raise InputError(
            f"{name}: has frames of {stream.width:,} x {stream.height:,} pixels; videos of at most {MAX_PIXELS:,} "
            "pixels are read, so scale it down"
        )
    stream.thread_type = "AUTO"
    return stream


def ends_with(path: Path, end: bytes) -> bool:
    """Return whether a file ends with the given bytes, ignoring trailing zero bytes within its last 64 bytes."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 64))
        return file.read().rstrip(b"\0").endswith(end)


def frame_rate(stream: VideoStream) -> float | None:
    """Return the average frame rate, per second; None if the file gives no plausible rate."""
    for rate in (stream.average_rate, stream.guessed_rate):
        if rate and 0 < rate <= MAX_RATE:
            return float(rate)
    return None


def end_seconds(container: InputContainer, stream: VideoStream, rate: float | None) -> float:
    """Return the time at which a file ends according to its header, in seconds on the time axis of its packets.

    If the header gives no length, the start is returned.

    For some formats FFmpeg estimates the duration from the data that is present, while the header counts the frames.
    The count in an MP4 file includes frames hidden by an edit list, so it is not used.
    """
    by_frames = 0.0 if rate is None or MP4 in container.format.name else stream.frames / rate
    return (container.start_time or 0) / MICROSECONDS + max((container.duration or 0) / MICROSECONDS, by_frames)


def expected_frames(container: InputContainer, stream: VideoStream, rate: float | None) -> int | None:
    """Return the number of frames that the header states, or else that duration and rate imply; None if unknown.

    For MP4 files the larger of the two numbers is returned, because the header of a fragmented file may count only the
    frames of the first fragment.
    """
    if stream.frames and MP4 not in container.format.name:
        return stream.frames
    if stream.frames:
        seconds = float((stream.duration or 0) * (stream.time_base or 0))
    else:
        seconds = (container.duration or 0) / MICROSECONDS
    by_duration = max(1, math.floor(seconds * rate + 0.5)) if seconds and rate else 0
    return max(stream.frames, by_duration) or None


def pixel_aspect(stream: VideoStream) -> float:
    """Return the ratio of a pixel's width to its height, which differs from 1 in anamorphic videos."""
    aspect = float(stream.sample_aspect_ratio or 1)
    return aspect if PIXEL_ASPECT_RANGE[0] < aspect < PIXEL_ASPECT_RANGE[1] else 1.0
