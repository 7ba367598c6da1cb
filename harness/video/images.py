"""Images as frames: one photo, a folder of them, or a folder of face crops as a data set has them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from PIL import Image

from harness.data.image_decoding import CorruptImageError, decode_image
from harness.utils.errors import InputError
from harness.video.frames import Frame
from harness.video.orientation import EXIF_ORIENTATIONS, UPRIGHT, Orientation

ORIENTATION = 0x0112
"""The tag of EXIF data that says how a photo lies."""


class ImageSource:
    """Image files as frames without a time; `numbered` holds (frame number, file), ascending.

    kind: `image`, `images` or `crops`; files: what it was given. Photos are put upright as their EXIF data say, crops
    are left as they are.
    A broken file is passed over and noted. InputError, when it is made, where all of them are broken.
    """

    rate, live = None, False

    def __init__(self, numbered: Sequence[tuple[int, Path]], kind: str, name: str) -> None:
        self.name, self.kind, self.frames, self.notes = name, kind, len(numbered), []
        self.files = tuple(numbered)
        self._broken: list[CorruptImageError] = []
        read = self._read(numbered)
        first = next(read, None)
        if first is None:
            one = self._broken[0]
            raise InputError(
                str(one)
                if self.frames == 1
                else f"{name}: none of its {self.frames} images can be read; the first: {one}"
            )
        self._frames = chain([first], read)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._frames = iter(())

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def _read(self, numbered: Sequence[tuple[int, Path]]) -> Iterator[Frame]:
        for number, path in numbered:
            try:
                pixels = decode_image(path)
            except CorruptImageError as error:
                self._broken.append(error)
                continue
            yield Frame(number, math.nan, pixels if self.kind == "crops" else _exif_orientation(path)(pixels))
        if self._broken:
            self.notes.append(
                f"{len(self._broken)} of {self.frames} images cannot be read and are left out, the "
                f"first: {self._broken[0]}"
            )


def _exif_orientation(path: Path) -> Orientation:
    try:
        with Image.open(path) as image:
            return EXIF_ORIENTATIONS.get(image.getexif().get(ORIENTATION), UPRIGHT)
    except Exception:  # damaged EXIF data raise a dozen kinds of errors and turn nothing
        return UPRIGHT
