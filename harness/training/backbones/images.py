"""Stills as pictures: cut to the face, resized, kept as uint8 in memory or decoded each time they are asked for."""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.utils.errors import FramelightError, InputError

if TYPE_CHECKING:
    from backbones import Preprocessing
    from harness.data.stills import Stills

logger = logging.getLogger(__name__)

CHUNK = 64
MAX_LOGGED = 10
"""Unreadable stills that are named one by one."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Stills as uint8 [N, P, P, 3], P the preprocessing's input size; images None: decoded when asked for."""

    stills: Stills
    preprocessing: Preprocessing
    margin: tuple[float, float] = (0.0, 0.0)
    images: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.stills)

    def empty(self, count: int) -> np.ndarray:
        return np.empty((count, self.preprocessing.input_size, self.preprocessing.input_size, 3), np.uint8)

    def get(self, rows: np.ndarray) -> np.ndarray:
        """uint8 [n, P, P, 3] of the rows, in their order."""
        if self.images is not None:
            return self.images[rows]
        images = self.empty(len(rows))
        self.fill(images, rows)
        return images

    def fill(self, images: np.ndarray, rows: np.ndarray) -> None:
        """Write the pictures of the rows to `images`; FramelightError when one can no longer be read."""
        if self.images is not None:
            images[:] = self.images[rows]
            return
        for place, row in enumerate(rows.tolist()):
            try:
                images[place] = self.load_image(row)
            except ValueError as error:
                raise FramelightError(f"{error}; it could be read when the training began") from error

    def load_image(self, row: int) -> np.ndarray:
        """The still cut to its box and resized as `backbones.resize` does; ValueError that names an unreadable one."""
        from backbones import resize
        from harness.data.boxes import crop_to_box
        from harness.data.image_decoding import CorruptImageError, decode_image

        path, boxes = self.stills.images[row], self.stills.boxes
        try:
            image = decode_image(path)
        except CorruptImageError as error:
            raise ValueError(str(error)) from error
        try:
            return resize(image if boxes is None else crop_to_box(image, boxes[row], self.margin), self.preprocessing)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error


def load_images(
    stills: Stills,
    preprocessing: Preprocessing,
    margin: tuple[float, float] = (0, 0),
    keep: bool = True,
    workers: int = 2,
    recall: Callable[[Callable[[], Any]], Any] = lambda find: find(),
) -> ImageSet:
    """Pictures of every still that can be read; the others are logged and left out.

    keep: in memory; else every still is decoded once to know whether it can be. recall: gives what that found when
    it was first asked for, as JSON types. InputError when none can be read.
    """
    pictures = ImageSet(stills, preprocessing, margin)
    images = pictures.empty(len(stills)) if keep else None
    if keep:
        faults = _decode_all(pictures, images, workers)
    else:
        found = recall(lambda: {str(row): fault for row, fault in _decode_all(pictures, None, workers).items()})
        faults = {int(row): fault for row, fault in found.items()}
    _log_unreadable(faults, len(stills))
    good = np.setdiff1d(np.arange(len(stills)), np.fromiter(faults, np.int64, len(faults)))
    if images is not None and faults:
        for place, row in enumerate(good.tolist()):  # in place: the set may fill most of the memory
            images[place] = images[row]
        images = images[: len(good)]
    return ImageSet(stills.take(good) if faults else stills, preprocessing, margin, images)


def _decode_all(pictures: ImageSet, images: np.ndarray | None, workers: int) -> dict[int, str]:
    """Decode every still, to `images` where given: what is wrong with those that cannot be, by row."""

    def decode_chunk(start: int) -> dict[int, str]:
        faults = {}
        for row in range(start, min(start + CHUNK, len(pictures))):
            try:
                picture = pictures.load_image(row)
            except ValueError as error:
                faults[row] = str(error)
                continue
            if images is not None:
                images[row] = picture
        return faults

    with ThreadPoolExecutor(workers) as pool:
        return {
            row: fault for part in pool.map(decode_chunk, range(0, len(pictures), CHUNK)) for row, fault in part.items()
        }


def _log_unreadable(faults: dict[int, str], count: int) -> None:
    if len(faults) == count:
        raise InputError(
            f"none of the {count} stills can be read" + (f"; first: {next(iter(faults.values()))}" if faults else "")
        )
    for fault in list(faults.values())[:MAX_LOGGED]:
        logger.info(f"left out a still: {fault}")
    if len(faults) > MAX_LOGGED:
        logger.info(f"left out {len(faults) - MAX_LOGGED} more stills that cannot be read")
