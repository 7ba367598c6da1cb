"""Animated WebP, PNG and AVIF images as videos; FFmpeg cannot read all of them, but it reads animated GIF files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
from PIL import Image

from backbones.regular_files import open_regular
from harness.data.image_decoding import require_size
from harness.utils.errors import InputError
from harness.video.frames import Frame

FORMATS = ("GIF", "WEBP", "PNG", "AVIF")
"""Formats that can be animated. TIFF and MPO are left out: several images in them are pages or views."""
DEFAULT_MILLISECONDS, MIN_MILLISECONDS = 100, 10
"""Browsers show a frame with a duration of `MIN_MILLISECONDS` or less for `DEFAULT_MILLISECONDS`."""


class AnimationSource:
    """Frames of an animated image.

    A file that is damaged is read as far as possible. See `harness.video.frames.Source` for the attributes.

    Parameters
    ----------
    path : Path
    name : str
        Name as the user gave it.
    crops : bool
        Whether every frame is already the crop of a face.

    Raises
    ------
    InputError
        If the file is not an image in one of the `FORMATS`, its frames are too large, or the first cannot be decoded.
    """

    def __init__(self, path: Path, name: str, crops: bool = False) -> None:
        self.name, self.kind, self.live = name, "crops" if crops else "video", False
        self.notes: list[str] = []
        try:
            self._file = open_regular(path)
        except OSError as error:
            raise InputError(f"{name}: cannot be opened: {error.strerror or error}") from error
        try:
            self._image = Image.open(self._file, formats=FORMATS)
            require_size(path, *self._image.size)
            self.frames: int | None = frame_count(self._image)
            self.rate: float | None = 1000 / self._milliseconds()
        except Exception as error:  # Pillow's decoders raise many types of errors for malformed files
            self._file.close()
            raise InputError(f"{name}: this animated image cannot be read: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._image.close()
        self._file.close()

    def __iter__(self) -> Iterator[Frame]:
        start = 0.0
        for index in range(self.frames or 0):
            try:
                self._image.seek(index)
                pixels = np.array(self._image.convert("RGB"))
            except Exception as error:  # Pillow's decoders raise many types of errors for malformed files
                self.notes.append(f"the file is damaged after frame {index} of {self.frames}: {error}")
                return
            seconds = self._milliseconds() / 1000
            yield Frame(index + 1, round(start, 6), pixels, math.nan, seconds)
            start += seconds

    def _milliseconds(self) -> float:
        """Return for how long the current frame is shown."""
        self._image.load()
        duration = float(self._image.info.get("duration") or 0)
        return duration if duration > MIN_MILLISECONDS else DEFAULT_MILLISECONDS


def animated_format(path: Path) -> str:
    """Return the format of an animated image; "" if the file is not animated or cannot be read."""
    try:
        with open_regular(path) as file, Image.open(file, formats=FORMATS) as image:
            return str(image.format) if frame_count(image) > 1 else ""
    except Exception:  # reported when the image is decoded
        return ""


def frame_count(image: Image.Image) -> int:
    """Return the number of frames of an opened image."""
    return int(getattr(image, "n_frames", 1))
