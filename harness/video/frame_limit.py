"""Upper limit of the number of frames of a source, without decoding them."""

from __future__ import annotations

from harness.video.container import open_container, video_stream
from harness.video.frames import Source, TimeLimitedSource
from harness.video.reader import VideoSource


def max_frames(source: Source) -> int | None:
    """Return a number of frames that a source does not exceed; None if unknown.

    The expected number of frames of a video may be too small. Therefore its packets are counted, for which the whole
    file is read.
    """
    if isinstance(source, TimeLimitedSource):
        return max_frames(source.source)
    return _count_packets(source) if isinstance(source, VideoSource) else source.frames


def _count_packets(source: VideoSource) -> int | None:
    """Count the packets of a video, each of at most one frame; None if the file is damaged."""
    import av

    with open_container(source.path, source.name) as container:
        try:
            return sum(packet.size > 0 for packet in container.demux(video_stream(container, source.name)))
        except av.FFmpegError:
            return None
