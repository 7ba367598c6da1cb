"""Frames become a video that browsers play: h264 in mp4, written aside and renamed once it is whole."""

from __future__ import annotations

import math
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from harness.utils.errors import FramelightError
from harness.utils.files import atomic_write
from harness.video.frames import DEFAULT_RATE

TICKS_PER_SECOND = 90_000
"""Of a second, the unit of the time stamps."""
QUALITY = {"preset": "veryfast", "crf": "20"}
BT709 = 1
"""How colours are coded, named in the file, for players guess by the size where nothing is named."""


class VideoWriter:
    """Writes frames of `size` (width, height) to `path`, a context; a frame of another size is fitted into it.

    rate: frames a second, for frames that come without a time; None for 25. Where the context is left by an error,
    and where no frame was written (FramelightError), there is no file, and one that was there is untouched.
    """

    def __init__(self, path: Path, rate: float | None, size: tuple[int, int]) -> None:
        self.path, self.rate, self.size = Path(path), rate or DEFAULT_RATE, size
        self._open = ExitStack()
        self._last = -1

    def __enter__(self) -> Self:
        import av
        from av.video.reformatter import VideoReformatter

        self._open.__enter__()
        try:
            aside = self._open.enter_context(atomic_write(self.path))
            self._container = self._open.enter_context(
                av.open(str(aside), "w", format="mp4", container_options={"movflags": "+faststart"})
            )
            stream = self._container.add_stream(
                "libx264", Fraction(self.rate).limit_denominator(100_000), options=QUALITY
            )
            stream.width, stream.height = (side + side % 2 for side in self.size)
            stream.pix_fmt = "yuv420p"
            coding = stream.codec_context
            coding.colorspace = coding.color_primaries = coding.color_trc = BT709
            stream.time_base = coding.time_base = Fraction(1, TICKS_PER_SECOND)
            self._stream, self._reformat = stream, VideoReformatter().reformat
        except BaseException:
            self._open.close()
            raise
        return self

    def write(self, pixels: np.ndarray, seconds: float = math.nan) -> None:
        """uint8 [H, W, 3] RGB, shown from `seconds` on; without a time, one frame's length after the one before."""
        from av import VideoFrame

        frame = self._reformat(
            VideoFrame.from_ndarray(self._fit(pixels), format="rgb24"),
            format="yuv420p",
            dst_colorspace="ITU709",
            dst_color_range="MPEG",
        )
        step = round(TICKS_PER_SECOND / self.rate)
        wanted = (
            round(seconds * TICKS_PER_SECOND) if math.isfinite(seconds) else self._last + step if self._last >= 0 else 0
        )
        frame.pts = self._last = max(wanted, self._last + 1)
        frame.time_base = Fraction(1, TICKS_PER_SECOND)
        self._container.mux(self._stream.encode(frame))

    def _fit(self, pixels: np.ndarray) -> np.ndarray:
        """Of the writer's size, made even by repeating the last row and column, for h264 halves the colours."""
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
                    raise FramelightError(f"{self.path}: there is no frame to write")
                self._container.mux(self._stream.encode(None))
            except BaseException as failed:
                self._open.__exit__(type(failed), failed, failed.__traceback__)
                raise
        self._open.__exit__(kind, error, trace)


def _fit_into(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """As large as fits, in the middle of black."""
    share = min(width / pixels.shape[1], height / pixels.shape[0])
    size = max(1, round(pixels.shape[1] * share)), max(1, round(pixels.shape[0] * share))
    canvas = Image.new("RGB", (width, height))
    canvas.paste(
        Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR),
        ((width - size[0]) // 2, (height - size[1]) // 2),
    )
    return np.asarray(canvas)
