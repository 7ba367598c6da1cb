"""Write videos that browsers play: H.264 in MP4."""

from __future__ import annotations

import math
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from PIL import Image

from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write
from harness.video.frames import DEFAULT_RATE

if TYPE_CHECKING:
    from harness.video.audio import AudioTrack

TICKS_PER_SECOND = 90_000
"""Resolution of the time stamps in the file."""
QUALITY = {"preset": "veryfast", "crf": "20"}
BT709 = 1
"""Code of the color space BT.709, stored in the file; without it, players guess the space from the frame size."""


class VideoWriter:
    """Context that writes frames to a video file, and optionally audio.

    The file appears at `path` once it is complete. If the context is left because of an error, nothing is written
    and an existing file is kept. If no frame was written, leaving the context raises a FramelightError.

    Parameters
    ----------
    path : Path
    rate : float or None
        Frames per second for frames without a time; 25 if None.
    size : (int, int)
        Width and height. Frames of another size are scaled to fit and padded with black.
    audio : AudioTrack, optional
        Audio to add; its times count from the same start as those of the frames.
    """

    def __init__(self, path: Path, rate: float | None, size: tuple[int, int], audio: AudioTrack | None = None) -> None:
        self.path, self.rate, self.size, self.audio = Path(path), rate or DEFAULT_RATE, size, audio
        self._open = ExitStack()
        self._last = -1

    def __enter__(self) -> Self:
        import av
        from av.video.reformatter import VideoReformatter

        self._open.__enter__()
        try:
            tmp_path = self._open.enter_context(atomic_write(self.path))
            self._container = self._open.enter_context(
                av.open(str(tmp_path), "w", format="mp4", container_options={"movflags": "+faststart"})
            )
            stream = self._container.add_stream(
                "libx264", Fraction(self.rate).limit_denominator(100_000), options=QUALITY
            )
            stream.width, stream.height = (side + side % 2 for side in self.size)
            stream.pix_fmt = "yuv420p"
            codec = stream.codec_context
            codec.colorspace = codec.color_primaries = codec.color_trc = BT709
            stream.time_base = codec.time_base = Fraction(1, TICKS_PER_SECOND)
            self._stream, self._reformat = stream, VideoReformatter().reformat
            if self.audio is not None:
                self.audio.add_to(self._container)
        except BaseException:
            self._open.close()
            raise
        return self

    def write(self, pixels: np.ndarray, seconds: float = math.nan) -> None:
        """Write a frame.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            RGB.
        seconds : float, default=nan
            Time from which the frame is shown; if NaN, one frame interval after the previous frame.
        """
        from av import VideoFrame

        frame = self._reformat(
            VideoFrame.from_ndarray(self._fit(pixels), format="rgb24"),
            format="yuv420p",
            dst_colorspace="ITU709",  # type: ignore[arg-type]  # PyAV takes names, its annotations do not
            dst_color_range="MPEG",
        )
        step = round(TICKS_PER_SECOND / self.rate)
        next_stamp = self._last + step if self._last >= 0 else 0
        stamp = round(seconds * TICKS_PER_SECOND) if math.isfinite(seconds) else next_stamp
        frame.pts = self._last = max(stamp, self._last + 1)
        frame.time_base = Fraction(1, TICKS_PER_SECOND)
        self._container.mux(self._stream.encode(frame))
        if self.audio is not None:
            self.audio.write(self._container, stamp / TICKS_PER_SECOND)

    def _fit(self, pixels: np.ndarray) -> np.ndarray:
        """Resize to the writer's size and repeat the last row or column to make odd sides even, as H.264 requires."""
        width, height = self.size
        if pixels.shape[:2] != (height, width):
            pixels = _fit_into(pixels, width, height)
        if height % 2 or width % 2:
            pixels = np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")
        return np.ascontiguousarray(pixels)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                if self._last < 0:
                    raise FramelightError(f"{self.path}: no frame was written, so there is no video")
                self._container.mux(self._stream.encode(None))
                if self.audio is not None:
                    self.audio.write(self._container)
            except BaseException as raised:
                self._open.__exit__(type(raised), raised, raised.__traceback__)
                raise
        self._open.__exit__(kind, error, trace)


def _fit_into(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Scale to the largest size that fits, centered on black."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale))
    canvas = Image.new("RGB", (width, height))
    canvas.paste(
        Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR),
        ((width - size[0]) // 2, (height - size[1]) // 2),
    )
    return np.asarray(canvas)
