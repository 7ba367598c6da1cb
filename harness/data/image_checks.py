"""Check whether image files can be read, in threads."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from backbones.processors import available_processors
from harness.data.image_decoding import check_image

BLOCK = 256


@dataclass(frozen=True, eq=False)
class ImageChecks:
    """Result of the check of N image files.

    Attributes
    ----------
    faults : dict of int to str
        Why an image cannot be read, by index.
    turned : bool array of shape (N,)
        Whether an EXIF orientation says that the stored pixels are not upright.
    """

    faults: dict[int, str]
    turned: np.ndarray


def check_images(paths: Sequence[Path], progress: Callable[[int, int], None] | None = None) -> ImageChecks:
    """Check image files with the function that decodes them.

    Takes 0.1 ms for a JPEG of 112 x 112 pixels on one core.

    Parameters
    ----------
    paths : sequence of Path
    progress : callable, optional
        Called with the number of images done and the total.

    Returns
    -------
    ImageChecks
    """
    faults: dict[int, str] = {}
    turned = np.zeros(len(paths), bool)
    starts = range(0, len(paths), BLOCK)

    def check_block(start: int) -> list[tuple[str | None, int]]:
        return [check_image(path) for path in paths[start : start + BLOCK]]

    with ThreadPoolExecutor(available_processors()) as pool:
        for start, block in zip(starts, pool.map(check_block, starts)):
            for index, (fault, orientation) in enumerate(block, start):
                turned[index] = orientation != 1
                if fault is not None:
                    faults[index] = fault
            if progress is not None:
                progress(start + len(block), len(paths))
    return ImageChecks(faults, turned)
