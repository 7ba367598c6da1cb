"""Hashes of the images that a backbone learned from, saved with the backbone.

The file `image_hashes.npy` beside the card of a trained backbone is a uint64 array of shape (N, 2). Each row is the
column hash and the row hash of an image (see `harness.data.image_hashes`); the rows are distinct and sorted. Imported
and pretrained weights have no such file, because their training images are not known.
"""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backbones.regular_files import open_regular
from harness.data.image_hashes import hash_images

if TYPE_CHECKING:
    from harness.data.stills import Stills

logger = logging.getLogger(__name__)

IMAGE_HASHES = "image_hashes.npy"
CARD_KEY = "image_hashes"


def hash_learned_images(
    stills: Stills, margin: tuple[float, float], workers: int, parent: Path | None, unknown: str
) -> tuple[bytes, dict[str, Any]]:
    """Hash the training images of a backbone.

    Parameters
    ----------
    stills : Stills
        Training images.
    margin : (float, float)
        Shares of a face box's width and height that are added on each side.
    workers : int
        Number of threads.
    parent : Path or None
        Folder of the trained backbone that the training started from, if any. Its hashes are added.
    unknown : str
        Name of the weights that this training or one of its parents started from, if the training images of those
        weights are not known; else "".

    Returns
    -------
    file : bytes
        Content of `image_hashes.npy`.
    about : dict
        Entry of the card: `images`, the number of distinct pairs of hashes, and `unknown`.
    """
    hashes = hash_images(stills.images, stills.boxes, margin, workers, upright=True)
    pairs = np.stack([hashes.columns, hashes.rows], axis=1)[hashes.shows]
    inherited = None if parent is None else read_learned_images(parent)
    if inherited is not None:
        pairs = np.concatenate([pairs, inherited])
    pairs = np.unique(pairs, axis=0)
    buffer = io.BytesIO()
    np.save(buffer, pairs)
    return buffer.getvalue(), {"images": len(pairs), "unknown": unknown}


def read_learned_images(folder: Path) -> np.ndarray | None:
    """Read the hashes of a backbone's training images.

    Parameters
    ----------
    folder : Path
        Folder of the backbone, which may come from an untrusted source.

    Returns
    -------
    uint64 array of shape (N, 2) or None
        None if the backbone has no hashes, or if they cannot be read (logged as a warning).
    """
    path = folder / IMAGE_HASHES
    try:
        return _read_hashes(path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning(
            f"{path} cannot be read ({error}), so copies of scored crops among the training images of this backbone "
            "cannot be found; copy or train the backbone again"
        )
        return None


def _read_hashes(path: Path) -> np.ndarray:
    """Read the hashes; raise OSError or ValueError if this fails. Memory is bounded by the size of the file."""
    with open_regular(path) as file:
        try:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not an array of version 1.0")
            shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(file)
        except (OSError, ValueError):
            raise
        except Exception as error:  # numpy parses the header as Python code, which raises errors of many classes
            raise ValueError(f"damaged: {type(error).__name__} {error}".strip()) from error
        if dtype != np.uint64 or len(shape) != 2 or shape[1] != 2:
            raise ValueError(f"has shape {list(shape)} and type {dtype}, expected [N, 2] and uint64")
        content = file.read()
    if len(content) != shape[0] * 2 * dtype.itemsize:
        raise ValueError(f"has {len(content):,} bytes of hashes, expected {shape[0] * 2 * dtype.itemsize:,}")
    return np.frombuffer(content, dtype).reshape(shape, order="F" if fortran_order else "C").astype(np.uint64)
