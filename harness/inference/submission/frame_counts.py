"""How many lines the file of each video has.

The organisers count one frame more than a video file says (CAP_PROP_FRAME_COUNT + 1). In Aff-Wild2 a few videos have
a crop one past even that: such a crop takes part in smoothing and has no line. A crop further out means that count and
crops are not of the same video, which is an error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.data.affwild2_paths import source_video
from harness.data.annotations import read_text
from harness.utils.errors import InputError
from harness.video.video_files import frame_count, video_path

MAX_EXTRA_CROPS = 1
"""Crops that may lie past a video's last line."""
MAX_FRAMES = 10_000_000
"""Frames of a video: days of them. A count beyond is a slip of the pen, and would fill the memory."""
SOURCES = ("frames file", "list of frames", "video file", "annotation", "last crop")
"""Where a number of lines comes from, the best first."""


@dataclass(frozen=True)
class LineSources:
    """Places to count in, by name of the sequence or of the video it was cut from.

    given: lines, see `read_lines`; videos: files; annotated: lines of a labelled split's own files; listed: by the
    organisers' list of every frame.
    """

    given: Mapping[str, int] = field(default_factory=dict)
    videos: Mapping[str, Path] = field(default_factory=dict)
    annotated: Mapping[str, int] = field(default_factory=dict)
    listed: Mapping[str, int] = field(default_factory=dict)

    def knows(self, name: str) -> bool:
        """Whether one of them counts the video."""
        counted = any(name in known for known in (self.given, self.annotated, self.listed))
        return counted or source_video(name) in self.given or video_path(name, self.videos) is not None


@dataclass(frozen=True)
class LineCount:
    """lines: of the video's file; source: of SOURCES; past: crops beyond the last line."""

    lines: int
    source: str
    extra_crops: int = 0


def count_lines(names: Sequence[str], last: Mapping[str, int], sources: LineSources) -> dict[str, LineCount]:
    """The length of each video; last: the frame number of its last crop, 0 without one.

    InputError for a video about which nothing is known, and for a count that its crops outrun.
    """
    return {name: _count_lines(name, last[name], sources) for name in names}


def videos_by_source(found: Mapping[str, LineCount]) -> dict[str, int]:
    """How many videos each source counted, in the order of SOURCES."""
    counted = Counter(length.source for length in found.values())
    return {source: counted[source] for source in SOURCES if counted[source]}


def read_line_counts(path: Path) -> dict[str, int]:
    """Lines of each video from `video,frames` lines; a first line without a number is a header.

    The numbers are those of the files' lines, the organisers' extra one included. InputError with the line at fault.
    """
    found: dict[str, int] = {}
    for number, video, lines in _parse_line_counts(path):
        if found.setdefault(video, lines) != lines:
            raise InputError(f"{path}:{number}: '{video}' has {found[video]} frames further up and {lines} here")
    if not found:
        raise InputError(f"{path}: names no video; write lines such as video1,1506")
    return found


def _parse_line_counts(path: Path) -> Iterator[tuple[int, str, int]]:
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        video, _, count = (cell.strip() for cell in line.rpartition(","))
        digits = count.lstrip("0") if count.isascii() and count.isdecimal() and video else ""
        if len(digits) > len(str(MAX_FRAMES)) or (digits and int(digits) > MAX_FRAMES):
            raise InputError(f"{path}:{number}: {digits[:30]} frames of '{video[:60]}' are more than any video has")
        if digits:
            yield number, video, int(digits)
        elif line.strip() and not (number == 1 and not any(map(str.isdigit, count))):
            raise InputError(
                f"{path}:{number}: '{line[:60]}' is not a video and its number of frames; write video1,1506"
            )


def _count_lines(name: str, last: int, sources: LineSources) -> LineCount:
    if (given := sources.given.get(name, sources.given.get(source_video(name)))) is not None:
        return _checked_count(name, given, "frames file", last, f"the frames file gives it {given:,} lines")
    if (listed := sources.listed.get(name)) is not None:
        return _checked_count(name, listed, "list of frames", last, f"the list of frames has {listed:,} of it")
    path = video_path(name, sources.videos)
    if path is not None:
        frames = frame_count(path)
        said = f"{path} has {frames:,} frames, so its file would have {frames + 1:,} lines"
        return _checked_count(name, frames + 1, "video file", last, said)
    annotated = sources.annotated.get(name, 0)
    if not annotated and not last:
        raise InputError(
            f"video '{name}' has no crop, no video file and no count of frames; "
            "name its frames with --frames FILE, or its video file's folder with --videos DIR"
        )
    return LineCount(max(annotated, last), "annotation" if annotated >= last else "last crop")


def _checked_count(name: str, lines: int, source: str, last: int, said: str) -> LineCount:
    past = max(0, last - lines)
    if past > MAX_EXTRA_CROPS:
        raise InputError(
            f"video '{name}': {said}, but its last crop is of frame {last:,}; crops and count are not "
            "of one video: correct the count, or take out the crops that are not its own"
        )
    return LineCount(lines, source, past)
