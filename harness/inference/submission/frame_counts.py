"""Number of lines that a submission needs for each video.

The organizers of the challenge count one frame more than the video file has (CAP_PROP_FRAME_COUNT + 1). A few videos
of Aff-Wild2 have a crop one frame beyond the organizers' count. That crop takes part in smoothing but gets no line. A
crop even further beyond is an error, because count and crops must then be from different videos.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.annotation_formats import read_text
from harness.data.crop_folders import source_video
from harness.utils.errors import InputError
from harness.utils.names import canonical_name
from harness.video.video_files import frame_count, video_path

MAX_EXTRA_CROPS = 1
"""Number of crops that are allowed beyond the last line of a video."""
MAX_FRAMES = 10_000_000
"""Maximum number of frames of a video; larger counts are typing errors and would exhaust memory."""
SOURCES = ("frames file", "list of frames", "video file", "annotation", "last crop")
"""Sources of the number of lines, in order of preference."""


@dataclass(frozen=True)
class LineSources:
    """Sources of the number of lines. The keys are names of sequences of crops, or of the videos they were cut from.

    Attributes
    ----------
    given : mapping of str to int
        Numbers of lines from a frames file; see `read_line_counts`.
    videos : mapping of str to Path
        Video files.
    annotated : mapping of str to int
        Numbers of lines of the annotations of a labeled split.
    listed : mapping of str to int
        Numbers of lines in the organizers' list of all frames.
    """

    given: Mapping[str, int] = field(default_factory=dict)
    videos: Mapping[str, Path] = field(default_factory=dict)
    annotated: Mapping[str, int] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)

    def knows(self, name: str) -> bool:
        """Return whether a source has the number of lines of a video."""
        has_count = name in self.annotated or name in self.listed or self.given_lines(name) is not None
        return has_count or video_path(name, self.videos) is not None

    def given_lines(self, name: str) -> int | None:
        """Return the number of lines of a video in the frames file, or None."""
        name = canonical_name(name)
        return self.given.get(name, self.given.get(source_video(name)))


@dataclass(frozen=True)
class LineCount:
    """Number of lines of a video.

    Attributes
    ----------
    lines : int
    source : str
        One of SOURCES.
    extra_crops : int
        Number of crops beyond the last line.
    """

    lines: int
    source: str
    extra_crops: int = 0


def count_lines(names: Sequence[str], last: Mapping[str, int], sources: LineSources) -> dict[str, LineCount]:
    """Count the lines of each video.

    Parameters
    ----------
    names : sequence of str
    last : mapping of str to int
        Frame number of the last crop of each video; 0 for a video without crops.
    sources : LineSources

    Raises
    ------
    InputError
        If there is no source for a video, its video file cannot be read, or a count is too small for the crops of its
        video.
    """
    return {name: _count_lines(name, last[name], sources) for name in names}


def videos_by_source(counts: Mapping[str, LineCount]) -> dict[str, int]:
    """Count the videos of each source, in the order of SOURCES."""
    videos = Counter(count.source for count in counts.values())
    return {source: videos[source] for source in SOURCES if videos[source]}


def read_line_counts(path: Path) -> dict[str, int]:
    """Read the number of lines of each video from a file of `video,frames` lines.

    The numbers include the organizers' additional frame. A first line without a number is a header.

    Raises
    ------
    InputError
        If a line is malformed or contradicts an earlier one, or if there is no video.
    """
    counts: dict[str, int] = {}
    for number, video, lines in _parse_line_counts(path):
        if counts.setdefault(video, lines) != lines:
            raise InputError(
                f"{path}:{number}: '{video}' has {counts[video]} frames in an earlier line and {lines} here; remove one"
            )
    if not counts:
        raise InputError(f"{path}: no video; write lines such as video1,1506")
    return counts


def _parse_line_counts(path: Path) -> Iterator[tuple[int, str, int]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        video, _, count = (canonical_name(cell.strip()) for cell in line.rpartition(","))
        digits = count.lstrip("0") if count.isascii() and count.isdecimal() and video else ""
        if len(digits) > len(str(MAX_FRAMES)) or (digits and int(digits) > MAX_FRAMES):
            raise InputError(
                f"{path}:{number}: {digits[:30]} frames of '{video[:60]}' exceed the maximum of {MAX_FRAMES:,}; "
                "correct the number"
            )
        if digits:
            yield number, video, int(digits)
        elif line.strip() and not (number == 1 and not any(map(str.isdigit, count))):
            raise InputError(
                f"{path}:{number}: '{line[:60]}' is not a video and its number of frames; write lines such as "
                "video1,1506"
            )


def _count_lines(name: str, last: int, sources: LineSources) -> LineCount:
    if (lines := sources.given_lines(name)) is not None:
        return _checked_count(name, lines, "frames file", last, f"the frames file has {lines:,} lines for it")
    if (lines := sources.listed.get(name)) is not None:
        return _checked_count(name, lines, "list of frames", last, f"the list of frames has {lines:,} lines for it")
    path = video_path(name, sources.videos)
    if path is not None:
        frames = frame_count(path)
        reason = f"{path} has {frames:,} frames, so its file needs {frames + 1:,} lines"
        return _checked_count(name, frames + 1, "video file", last, reason)
    annotated = sources.annotated.get(name, 0)
    if not annotated and not last:
        raise InputError(
            f"video '{name}' has no crop, no video file and no number of frames; "
            "pass its number of frames with --frames FILE, or the folder of its video file with --videos DIR"
        )
    return LineCount(max(annotated, last), "annotation" if annotated >= last else "last crop")


def _checked_count(name: str, lines: int, source: str, last: int, reason: str) -> LineCount:
    extra = max(0, last - lines)
    if extra > MAX_EXTRA_CROPS:
        raise InputError(
            f"video '{name}': {reason}, but its last crop is frame {last:,}; crops and count belong to different "
            "videos: correct the count, or remove the crops of the other video"
        )
    return LineCount(lines, source, extra)
