"""Video files and how many frames they say they have. PyAV is imported late."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.affwild2_paths import source_video
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from av.container import InputContainer

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")


def find_videos(folder: Path) -> dict[str, Path]:
    """Video files by name without their ending, in the folder and those in it.

    InputError when there is no such folder, or two files have one name.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder of video files: {folder}")
    found: dict[str, Path] = {}
    for place, folders, files in os.walk(folder):
        folders.sort()
        for file in sorted(files):
            path = Path(place, file)
            if path.suffix.lower() not in VIDEO_SUFFIXES or file.startswith("."):
                continue
            if path.stem in found:
                raise InputError(f"{found[path.stem]} and {path} are both video '{path.stem}'; take one out")
            found[path.stem] = path
    return found


def video_path(name: str, videos: Mapping[str, Path]) -> Path | None:
    """The file a sequence was cut from: of its own name, or of that without `_left` or `_right`."""
    return videos.get(name, videos.get(source_video(name)))


def frame_count(path: Path) -> int:
    """Frames as OpenCV's CAP_PROP_FRAME_COUNT has them: what the container says, else its duration times its rate.

    A container that says neither is read through and its packets counted. InputError for what is no video, and for
    one without a frame.
    """
    import av

    try:
        with av.open(str(path)) as container:
            frames = _count_frames(container)
    except (av.FFmpegError, OSError) as error:
        raise InputError(f"{path}: cannot be read as a video ({error}); give its frames with --frames FILE") from error
    if not frames:
        raise InputError(f"{path}: holds no frame of a video; give its frames with --frames FILE")
    return frames


def _count_frames(container: InputContainer) -> int:
    import av

    if not container.streams.video:
        return 0
    stream = container.streams.video[0]
    if stream.frames:
        return stream.frames
    if container.duration and stream.average_rate:
        return math.floor(container.duration / av.time_base * float(stream.average_rate) + 0.5)
    return sum(packet.size > 0 for packet in container.demux(stream))
