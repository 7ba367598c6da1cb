"""Estimate the crop margin of a dataset with a face detector, and cache it in the store."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from harness.data import locations
from harness.utils.errors import FramelightError
from harness.utils.json_cache import JsonCache
from harness.utils.store import Store
from harness.video.faces.boxes import Margin, crop
from harness.video.faces.detector_protocol import Detector

logger = logging.getLogger(__name__)

DEFAULT_MARGIN = Margin(1.02, 0.0, 0.04)
"""A compromise between two estimates of scale, dx and dy with the default detector: (1.03, 0, 0) for gray photographs
of real faces, and (1.00, 0, 0.07) for a rendered dataset in the layout of Aff-Wild2."""

MIN_FACES = 20
"""Minimum number of crops with exactly one detected face; with fewer, the margin is unknown."""
MAX_CROPS = 40
"""Maximum number of crops that the detector runs on."""

PADDED_SCALE, PADDED_SIZE = 1.5, 168
"""Side of a crop after padding: relative to its side before padding, and in pixels. With fewer pixels, the detected
boxes are too large."""


def estimate_margin(crops: Sequence[np.ndarray], detector: Detector) -> Margin | None:
    """Estimate the margin of crops around the detector's boxes: the median over crops with exactly one detected face.

    The crops are padded first, because detectors expect faces inside an image, not faces that fill it.

    Parameters
    ----------
    crops : sequence of uint8 ndarray of shape (S, S, 3)
        At most `MAX_CROPS` of them are used, evenly spaced.
    detector : Detector
        Face detector.

    Returns
    -------
    Margin or None
        None if fewer than `MIN_FACES` crops have exactly one detected face.
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
    """Return the crop margin of the dataset with a given digest, cached in the store.

    Parameters
    ----------
    images : str
        Digest of the images; "" if it is unknown.
    detector : Detector
        Face detector; results are cached for each detector.
    store : Store
        Store with the location of the dataset and the cached margins.

    Returns
    -------
    Margin or None
        None if the dataset is unknown, was moved or changed, or if too few faces are detected.
    """
    if not images:
        return None
    cache, key = JsonCache(store.crop_margins), f"{images}, {detector.identity}"
    if key not in cache:
        crops = _sample_crops(images, store)
        if not crops:
            return None
        logger.info("estimating the crop margin of the training data with the face detector")
        margin = estimate_margin(crops, detector)
        cache.set(key, None if margin is None else [margin.scale, margin.dx, margin.dy])
        cache.save()
    return None if cache.get(key) is None else Margin(*cache.get(key))


def _sample_crops(images: str, store: Store) -> list[np.ndarray]:
    """Decode up to `MAX_CROPS` crops, spread over the sequences; return [] if the dataset was moved or changed."""
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
    per_sequence = -(-MAX_CROPS // max(len(names), 1))
    candidates = [path for name in names for path in _evenly_spaced(dataset.sequences[name].images, per_sequence)]
    crops = []
    for path in _evenly_spaced(candidates, MAX_CROPS):
        try:
            crops.append(decode_image(path, dataset.upright))
        except CorruptImageError:
            continue
    return crops


def _evenly_spaced(paths: Sequence[Path], max_count: int) -> list[Path]:
    """Return at most `max_count` evenly spaced paths, from the first to the last; for a limit of 1, the first."""
    return [paths[i] for i in np.linspace(0, len(paths) - 1, min(max_count, len(paths))).astype(int)]
