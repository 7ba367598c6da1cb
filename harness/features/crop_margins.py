"""The margin of the crops of a data set, by its digest: measured once for a detector, and remembered in the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.data import locations
from harness.utils.errors import FramelightError
from harness.utils.json_cache import JsonCache
from harness.utils.store import Store
from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector import Detector

if TYPE_CHECKING:
    from harness.video.faces.boxes import Margin
    from harness.video.faces.detector import Detector

logger = logging.getLogger(__name__)

DEFAULT_MARGIN = Margin(1.02, 0.0, 0.04)
"""Between what the default detector finds in grey photographs of real faces (1.03, 0, 0) and in a rendered set in the
layout of Aff-Wild2 (1.00, 0, 0.07)."""

MIN_FACES = 20
"""Faces found in the crops of a data set; with fewer nothing is said of its margin."""
MAX_CROPS = 40
"""Crops that are looked at."""

PADDED_SCALE, PADDED_SIZE = 1.5, 168
"""Side of a padded crop, in sides of the crop and in pixels; with fewer pixels boxes come out too large."""


def estimate_margin(crops: Sequence[np.ndarray], detector: Detector) -> Margin | None:
    """The median over crops, each uint8 [S, S, 3], in which the detector finds one face; None where it finds few.

    The crops are padded first: detectors look for faces that lie within a picture, not for one that fills it.
    """
    rows = []
    for pixels in crops[:: max(-(-len(crops) // MAX_CROPS), 1)]:
        side = max(pixels.shape[:2])
        whole = np.array([0.0, 0.0, pixels.shape[1], pixels.shape[0]])
        padded = crop(pixels, whole, Margin(PADDED_SCALE), PADDED_SIZE)
        faces = detector(padded)
        if len(faces) != 1:
            continue
        x, y, width, height = faces.boxes[0] * PADDED_SCALE * side / PADDED_SIZE
        face = (width + height) / 2
        middle = PADDED_SCALE * side / 2
        rows.append((side / face, (middle - x - width / 2) / face, (middle - y - height / 2) / face))
    if len(rows) < MIN_FACES:
        return None
    scale, dx, dy = np.median(rows, axis=0)
    return Margin(round(float(scale), 3), round(float(dx), 3), round(float(dy), 3))


def estimate_dataset_margin(images: str, detector: Detector, store: Store) -> Margin | None:
    """That of the data set with this digest, where it still lies where it was."""
    from harness.video.faces.boxes import Margin

    if not images:
        return None
    cache, key = JsonCache(store.crop_margins), f"{images}, {detector.identity}"
    if key not in cache:
        crops = _sample_crops(images, store)
        if not crops:
            return None
        logger.info("looking at the crops that the run learned from, for their margin")
        margin = estimate_margin(crops, detector)
        cache.set(key, None if margin is None else [margin.scale, margin.dx, margin.dy])
        cache.save()
    return None if cache.get(key) is None else Margin(*cache.get(key))


def _sample_crops(images: str, store: Store) -> list[np.ndarray]:
    """As many as are looked at, over all sequences of the data set; empty where it is gone or has changed."""
    from harness.data.fingerprint import DatasetFingerprint
    from harness.data.image_decoding import CorruptImageError, decode_image
    from harness.data.registry import open_dataset

    root = locations.get_location(store, images)
    try:
        dataset = None if root is None else open_dataset(root)
        if dataset is None or DatasetFingerprint(dataset, store.digests).images != images:
            return []
    except (FramelightError, OSError):
        return []
    names = [name for name in sorted(dataset.sequences) if len(dataset.sequences[name].images)]
    each = -(-MAX_CROPS // max(len(names), 1))
    crops = []
    for path in _evenly_spaced(
        [path for name in names for path in _evenly_spaced(dataset.sequences[name].images, each)], MAX_CROPS
    ):
        try:
            crops.append(decode_image(path))
        except CorruptImageError:
            continue
    return crops


def _evenly_spaced(paths: Sequence[Path], most: int) -> list[Path]:
    """All of them, or so many at even distances, the first and the last among them."""
    return [paths[at] for at in np.linspace(0, len(paths) - 1, min(most, len(paths))).astype(int)]
