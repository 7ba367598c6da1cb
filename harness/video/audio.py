"""Add the audio of a video file to rendered frames.

The audio is copied if players support it in MP4. Otherwise it is encoded as AAC.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from fractions import Fraction
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, cast

from harness.video.container import MICROSECONDS, MP4, open_av

if TYPE_CHECKING:
    from av import AudioFrame, AudioStream, Packet
    from av.container import OutputContainer
    from av.filter import Graph

COPIED = frozenset(("aac", "mp3", "opus", "flac", "alac", "ac3", "eac3"))
"""Codecs that players support in MP4, so their audio is copied; other or uncompressed audio is encoded as AAC."""
RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
"""Sampling rates in Hz at which AAC is encoded; audio at other rates is resampled to the highest of them."""
SAMPLES = 1024
"""Number of samples in a packet of AAC."""
GAP_SECONDS = 0.1
"""Gaps between time stamps of at least this many seconds are filled with silence; shorter gaps are ignored."""


class AudioTrack:
    """Context manager for the default audio stream of a file.

    Times are those of `harness.video.reader.VideoSource`: 0 is the start of the file. Damaged parts are left out.

    Parameters
    ----------
    path : Path
    end : float
        Time in seconds at which longer audio is cut off.

    Attributes
    ----------
    end : float
    note : str
        Message about an error after which no more audio is written; "" if there was no error.
    """

    def __init__(self, path: Path, end: float = math.inf) -> None:
        self.note, self.end = "", end
        self._container = open_av(path)
        self._source = cast("AudioStream | None", self._container.streams.best("audio"))
        self._start = Fraction(self._container.start_time or 0, MICROSECONDS)
        self._stream: AudioStream | None = None
        self._packets: Iterator[tuple[float, Packet]] = iter(())
        self._next: tuple[float, Packet] | None = None
        self._last = -math.inf

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._container.close()

    def add_to(self, output: OutputContainer) -> None:
        """Add the stream to a file to which nothing has been written yet; do nothing if there is no audio."""
        import av

        if self._source is None:
            return
        try:
            if _can_be_copied(self._source):
                self._stream = output.add_stream_from_template(self._source)
                self._packets = self._copied()
            else:
                rate = self._source.rate if self._source.rate in RATES else RATES[-1]
                self._stream = output.add_stream("aac", rate)
                self._stream.layout = "mono" if self._source.channels == 1 else "stereo"
                self._packets = self._encoded()
            self._next = next(self._packets, None)
        except (av.FFmpegError, ValueError, TypeError, AttributeError) as error:  # such as a missing codec
            self._stop(error)

    def write(self, output: OutputContainer, until: float = math.inf) -> None:
        """Write the packets that start before a time in seconds."""
        import av

        try:
            while self._next is not None and self._next[0] < min(until, self.end):
                output.mux(self._next[1])
                self._next = next(self._packets, None)
        except av.FFmpegError as error:
            self._stop(error)

    def _stop(self, error: Exception) -> None:
        name = (
            self._source.codec_context.codec.canonical_name
            if self._source is not None and self._source.codec_context
            else "unknown codec"
        )
        reason = getattr(error, "strerror", None) or str(error)
        self.note, self._next = f"the audio of the video ({name}) could not be kept: {reason}", None

    def _demuxed(self) -> Iterator[Packet]:
        import av

        try:
            for packet in self._container.demux(self._source):
                if packet.size and not packet.is_corrupt:
                    yield packet
        except av.FFmpegError:  # the video of a truncated file is read as far as possible, too
            return

    def _copied(self) -> Iterator[tuple[float, Packet]]:
        """Yield packets with times from the start of the file; packets without ascending times are left out."""
        for packet in self._demuxed():
            if packet.pts is None or packet.dts is None or packet.time_base is None:
                continue
            shift = round(self._start / packet.time_base)
            packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
            seconds = float(packet.pts * packet.time_base)
            if seconds <= self._last:
                continue
            self._last, packet.stream = seconds, self._stream
            yield seconds, packet

    def _encoded(self) -> Iterator[tuple[float, Packet]]:
        """Yield packets of AAC with times from the start of the file; gaps are filled with silence to stay in sync."""
        assert self._source is not None and self._stream is not None
        graph = _conversion(self._source, self._stream)
        for frame in self._decoded():
            graph.push(frame)
            for samples in _pull(graph):
                yield from _timed(self._stream.encode(samples))
        graph.push(None)
        for samples in _pull(graph):
            yield from _timed(self._stream.encode(samples))
        yield from _timed(self._stream.encode(None))

    def _decoded(self) -> Iterator[AudioFrame]:
        import av

        assert self._source is not None
        for packet in chain(self._demuxed(), [None]):
            try:
                frames = self._source.decode(packet)
            except av.FFmpegError:  # a damaged part
                continue
            for frame in frames:
                if frame.pts is not None and frame.time_base is not None:
                    frame.pts -= round(self._start / frame.time_base)
                    yield frame


def _timed(packets: Iterable[Packet]) -> Iterator[tuple[float, Packet]]:
    for packet in packets:
        yield float((packet.pts or 0) * (packet.time_base or 0)), packet


def _pull(graph: Graph) -> Iterator[AudioFrame]:
    """Yield the frames that a graph has ready."""
    import av

    while True:
        try:
            yield graph.pull()  # type: ignore[misc]  # an audio graph has audio frames
        except (av.BlockingIOError, av.EOFError):
            return


def _conversion(source: AudioStream, target: AudioStream) -> Graph:
    """Build the filters that convert decoded audio to the format of AAC, with silence before its start and in gaps."""
    from av.filter import Graph

    graph = Graph()
    codec = target.codec_context
    form = f"sample_fmts=fltp:sample_rates={codec.sample_rate}:channel_layouts={codec.layout.name}"
    graph.link_nodes(
        graph.add_abuffer(template=source),
        graph.add("aresample", f"async=1:first_pts=0:min_hard_comp={GAP_SECONDS}"),
        graph.add("aformat", form),
        graph.add("asetnsamples", f"n={SAMPLES}:p=0"),
        graph.add("abuffersink"),
    ).configure()
    return graph


def _can_be_copied(stream: AudioStream) -> bool:
    """Return whether players and the MP4 writer support the codec; the start of an MP4 file is written to test it."""
    import av

    if stream.codec_context is None or stream.codec_context.codec.canonical_name not in COPIED:
        return False
    try:
        with av.open(io.BytesIO(), "w", format=MP4) as container:
            container.add_stream_from_template(stream)
            container.start_encoding()
        return True
    except (av.FFmpegError, ValueError):
        return False
