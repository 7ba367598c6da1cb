"""Images as frames: a photo, a folder of images, or a folder of face crops."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import Self

from harness.data.image_decoding import CorruptImageError, decode_image
from harness.utils.errors import InputError
from harness.utils.text import plural
from harness.video.animation import animated_format
from harness.video.frames import Frame
from harness.video.video_files import ANIMATED_SUFFIXES

MAX_NAMED = 5
"""Maximum number of unreadable images that a note names."""


class ImageSource:
    """Image files as frames without time.

    Files that cannot be read are skipped and listed in `notes`. See `harness.video.frames.Source` for the other
    attributes.

    Parameters
    ----------
    numbered : sequence of (int, Path)
        Frame number and file, ascending.
    kind : {"image", "images", "crops"}
    name : str
        Name of the source, as the user gave it.
    upright : bool, default=True
        Whether images are turned upright by their EXIF orientation. Photos should be, crops of a video should not.

    Attributes
    ----------
    files : tuple of (int, Path)
        The argument `numbered`.

    Raises
    ------
    InputError
        If none of the files can be read.
    """

    def __init__(self, numbered: Sequence[tuple[int, Path]], kind: str, name: str, upright: bool = True) -> None:
        self.name, self.kind, self.live, self.upright = name, kind, False, upright
        self.rate: float | None = None
        self.frames: int | None = len(numbered)
        self.notes: list[str] = []
        self.files = tuple(numbered)
        self.notes += _animation_notes([path for _, path in numbered])
        self._broken: list[CorruptImageError] = []
        frames = self._read(numbered)
        first = next(frames, None)
        if first is None:
            error = self._broken[0]
            if self.frames == 1:
                raise InputError(str(error))
            raise InputError(f"{name}: none of its {self.frames} images can be read; the first: {error}")
        self._frames: Iterator[Frame] = chain([first], frames)

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
                pixels = decode_image(path, self.upright)
            except CorruptImageError as error:
                self._broken.append(error)
                continue
            yield Frame(number, math.nan, pixels)
        if self._broken:
            named = [f"{error.path.name} ({error.reason})" for error in self._broken[:MAX_NAMED]]
            rest = [f"{len(self._broken) - MAX_NAMED:,} more"] if len(self._broken) > MAX_NAMED else []
            self.notes.append(
                f"{len(self._broken)} of {self.frames} images cannot be read and are skipped: "
                f"{', '.join([*named, *rest])}"
            )


def _animation_notes(paths: Sequence[Path]) -> Iterator[str]:
    animated = [path.name for path in paths if path.suffix.lower() in ANIMATED_SUFFIXES and animated_format(path)]
    if animated:
        yield (
            f"of {plural(len(animated), 'animated image')} only the first frame is read; give the file as the input to "
            f"read all frames as a video (the first: {animated[0]})"
        )
