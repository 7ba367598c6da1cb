"""Still images with their labels, for training backbones."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from backbones.spec import AFFECTNET
from harness.data.dataset import Sequence
from harness.data.expression_words import CONTEMPT
from harness.data.fingerprint import digest_cache, sequence_digest
from harness.metrics.tasks import EXPRESSIONS
from harness.utils.hashing import content_hash
from harness.utils.json_cache import JsonCache

BLOCK_IMAGES = 512
BLOCKS_BETWEEN_SAVES = 64
READERS = 8


@dataclass(frozen=True, eq=False)
class Stills:
    """N still images and their labels.

    Attributes
    ----------
    images : tuple of Path
    subject : int64 array of shape (N,)
        Index into `subjects`. An image whose subject is not named is its own subject.
    subjects : tuple of str
    expression : int64 array of shape (N,)
        Index into `classes`; -1 for no label.
    va : float32 array of shape (N, 2), optional
        Valence and arousal in [-1, 1]; -5 for no label. None if no image has a label.
    au : int8 array of shape (N, 12), optional
        Action units; -1 for no label. None if no image has a label.
    classes : tuple of str
        Names of the expressions.
    boxes : float32 array of shape (N, 4), optional
        Face box as left, top, right, bottom in pixels; NaN for no box. None if no image has a box.
    """

    images: tuple[Path, ...]
    subject: np.ndarray
    subjects: tuple[str, ...]
    expression: np.ndarray
    va: np.ndarray | None = None
    au: np.ndarray | None = None
    classes: tuple[str, ...] = EXPRESSIONS
    boxes: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: np.ndarray) -> Stills:
        """Select rows by a boolean mask or an index array; `subjects` and `classes` stay the same."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        images = tuple(self.images[row] for row in rows.tolist())
        va, au, boxes = (None if part is None else part[rows] for part in (self.va, self.au, self.boxes))
        return replace(
            self, images=images, subject=self.subject[rows], expression=self.expression[rows], va=va, au=au, boxes=boxes
        )

    def with_affectnet_classes(self) -> Stills:
        """Convert the classes to those of AffectNet. Other becomes Contempt, so its images must show contempt."""
        order = [AFFECTNET.index(CONTEMPT if name == "Other" else name) for name in self.classes]
        return replace(self, expression=np.array([*order, -1], np.int64)[self.expression], classes=AFFECTNET)

    def digest(self, cache: Path | None = None, progress: Callable[[int, int], None] | None = None) -> str:
        """Return a hash of the images, subjects, labels and face boxes, in row order.

        Parameters
        ----------
        cache : Path, optional
            File that caches the digests of the images, by the result of `os.stat` for each image file.
        progress : callable, optional
            Called with the number of images done and the total.

        Returns
        -------
        str
            16 hexadecimal digits. The hash covers the names, bytes and EXIF orientations of the image files.
        """
        digests_by_stat = digest_cache(cache)
        digests: list[str] = []
        blocks = [self.images[start : start + BLOCK_IMAGES] for start in range(0, len(self), BLOCK_IMAGES)]
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(blocks), BLOCKS_BETWEEN_SAVES):
                for value in pool.map(
                    partial(_digest_images, digests_by_stat), blocks[start : start + BLOCKS_BETWEEN_SAVES]
                ):
                    digests.append(value)
                    if progress is not None:
                        progress(min(len(digests) * BLOCK_IMAGES, len(self)), len(self))
                digests_by_stat.save()
        labels = {name: _digest_array(getattr(self, name)) for name in ("subject", "expression", "va", "au", "boxes")}
        return content_hash({"images": digests, "subjects": self.subjects, "classes": self.classes} | labels, 16)


def _digest_images(cache: JsonCache, images: tuple[Path, ...]) -> str:
    return sequence_digest(Sequence("", np.arange(1, len(images) + 1, dtype=np.int32), images), cache, upright=True)


def _digest_array(values: np.ndarray | None) -> str | None:
    if values is None:
        return None
    described = f"{values.dtype.str} {values.shape}\n".encode()
    return hashlib.sha256(described + np.ascontiguousarray(values).tobytes()).hexdigest()
