"""Find video files and count their frames. PyAV is imported on first use."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from harness.data.crop_folders import source_video
from harness.data.litter import is_litter
from harness.utils.errors import InputError
from harness.utils.names import canonical_name
from harness.video.container import expected_frames, frame_rate, open_av

if TYPE_CHECKING:
    from av.container import InputContainer

VIDEO_SUFFIXES = (".mp4", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".m4v")
"""File name endings of the videos of datasets."""
ANIMATED_SUFFIXES = (".gif", ".webp", ".avif")
"""Suffixes of images that are often animated."""
OTHER_SUFFIXES = (
    *(".wmv", ".asf", ".flv", ".f4v", ".ts", ".mts", ".m2ts", ".3gp", ".3g2", ".ogv", ".ogm", ".vob", ".mxf", ".qt"),
    *(".mjpeg", ".mjpg", ".h264", ".264", ".h265", ".265", ".hevc", ".m2v", ".divx", ".dv", ".y4m", ".rm", ".rmvb"),
)
"""Further endings of videos in a folder that a user gives as input."""


def find_videos(folder: Path) -> dict[str, Path]:
    """Find the video files in a folder and its subfolders.

    Parameters
    ----------
    folder : Path

    Returns
    -------
    dict of str to Path
        Video files by name without extension.

    Raises
    ------
    InputError
        If there is no such folder, or if two files have the same name without extension.
    """
    if not folder.is_dir():
        raise InputError(f"no such folder of video files: {folder}")
    videos: dict[str, Path] = {}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_litter(name))
        for file in sorted(files):
            path = Path(parent, file)
            if path.suffix.lower() not in VIDEO_SUFFIXES or is_litter(file):
                continue
            name = canonical_name(path.stem)
            if name in videos:
                raise InputError(f"{videos[name]} and {path} are both video '{name}'; remove one of them")
            videos[name] = path
    return videos


def video_path(name: str, videos: Mapping[str, Path]) -> Path | None:
    """Return the video with a sequence's name, or else with this name without `_left` or `_right`; else None."""
    name = canonical_name(name)
    return videos.get(name, videos.get(source_video(name)))


def frame_count(path: Path) -> int:
    """Count the frames of a video as OpenCV's CAP_PROP_FRAME_COUNT does.

    The count is taken from the container, else computed from duration and rate, else determined by reading all packets.
    There is one difference: OpenCV counts only the first fragment of some fragmented MP4 files, while all of their
    packets are counted here.

    Raises
    ------
    InputError
        If the file is not a video or has no frame.
    """
    import av

    try:
        with open_av(path) as container:
            frames = _count_frames(container)
    except (av.FFmpegError, OSError) as error:
        raise InputError(
            f"{path}: cannot be read as a video ({error}); give its number of frames with --frames FILE"
        ) from error
    if not frames:
        raise InputError(f"{path}: has no video frames; give the number of frames with --frames FILE")
    return frames


def _count_frames(container: InputContainer) -> int:
    import av

    if not container.streams.video:
        return 0
    stream = container.streams.video[0]
    if stream.frames and expected_frames(container, stream, frame_rate(stream)) == stream.frames:
        return stream.frames
    if not stream.frames and container.duration and stream.average_rate:
        return math.floor(container.duration / av.time_base * float(stream.average_rate) + 0.5)
    return max(stream.frames, sum(packet.size > 0 for packet in container.demux(stream)))
