"""Training images: cropped to the face and resized, as uint8 in memory or decoded on demand."""

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
"""Number of unreadable images that are logged one by one."""


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Still images as uint8 arrays [N, P, P, 3], where P is the input size of the preprocessing.

    Attributes
    ----------
    stills : Stills
    preprocessing : Preprocessing
    margin : (float, float)
        Shares of a face box's width and height that are added on each side of the box.
    images : ndarray of uint8, shape (N, P, P, 3), or None
        None if images are decoded on demand.
    """

    stills: Stills
    preprocessing: Preprocessing
    margin: tuple[float, float] = (0.0, 0.0)
    images: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.stills)

    def empty(self, count: int) -> np.ndarray:
        """Create an uninitialized array for `count` images."""
        return np.empty((count, self.preprocessing.input_size, self.preprocessing.input_size, 3), np.uint8)

    def get(self, rows: np.ndarray) -> np.ndarray:
        """Return the images of the rows in their order, uint8 [n, P, P, 3]."""
        if self.images is not None:
            return self.images[rows]
        images = self.empty(len(rows))
        self.fill(images, rows)
        return images

    def fill(self, images: np.ndarray, rows: np.ndarray) -> None:
        """Write the images of the rows to `images`; raise FramelightError if an image can no longer be read."""
        if self.images is not None:
            images[:] = self.images[rows]
            return
        for index, row in enumerate(rows.tolist()):
            try:
                images[index] = self.load_image(row)
            except ValueError as error:
                raise FramelightError(f"{error}; the image was readable when the training began; restore it") from error

    def load_image(self, row: int) -> np.ndarray:
        """Decode an image, crop it to its box and resize it; raise ValueError with its path if it cannot be read."""
        from backbones import resize
        from harness.data.boxes import crop_to_box
        from harness.data.image_decoding import CorruptImageError, decode_image

        path, boxes = self.stills.images[row], self.stills.boxes
        try:
            image = decode_image(path, upright=True)
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
    """Load all readable images; the others are logged and left out.

    Parameters
    ----------
    stills : Stills
    preprocessing : Preprocessing
    margin : (float, float)
        See `ImageSet`.
    keep : bool
        Keep the images in memory. Otherwise each image is decoded once to find the unreadable ones.
    workers : int
        Number of threads.
    recall : callable, optional
        Cache of the unreadable images, used if `keep` is False. `recall(find)` returns `find()`, in JSON types, or the
        cached result of an earlier call.

    Returns
    -------
    ImageSet

    Raises
    ------
    InputError
        If no image can be read.
    """
    image_set = ImageSet(stills, preprocessing, margin)
    images = image_set.empty(len(stills)) if keep else None
    if keep:
        errors = _decode_all(image_set, images, workers)
    else:
        by_row = recall(lambda: {str(row): error for row, error in _decode_all(image_set, None, workers).items()})
        errors = {int(row): error for row, error in by_row.items()}
    _log_unreadable(errors, len(stills))
    readable = np.setdiff1d(np.arange(len(stills)), np.fromiter(errors, np.int64, len(errors)))
    if images is not None and errors:
        for index, row in enumerate(readable.tolist()):  # in place, as the images may fill most of the memory
            images[index] = images[row]
        images = images[: len(readable)]
    return ImageSet(stills.take(readable) if errors else stills, preprocessing, margin, images)


def _decode_all(image_set: ImageSet, images: np.ndarray | None, workers: int) -> dict[int, str]:
    """Decode all images, into `images` if it is not None; return the errors of unreadable images by row."""

    def decode_chunk(start: int) -> dict[int, str]:
        errors = {}
        for row in range(start, min(start + CHUNK, len(image_set))):
            try:
                image = image_set.load_image(row)
            except ValueError as error:
                errors[row] = str(error)
                continue
            if images is not None:
                images[row] = image
        return errors

    with ThreadPoolExecutor(workers) as pool:
        chunks = pool.map(decode_chunk, range(0, len(image_set), CHUNK))
        return {row: error for chunk in chunks for row, error in chunk.items()}


def _log_unreadable(errors: dict[int, str], count: int) -> None:
    if len(errors) == count:
        raise InputError(
            f"none of the {count} images can be read" + (f"; first: {next(iter(errors.values()))}" if errors else "")
        )
    for error in list(errors.values())[:MAX_LOGGED]:
        logger.info(f"skipping an unreadable image: {error}")
    if len(errors) > MAX_LOGGED:
        logger.info(f"skipping {len(errors) - MAX_LOGGED} more unreadable images")
