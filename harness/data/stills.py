"""Stills: the images that a backbone learns from, with what is known of each."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from harness.data.dataset import Sequence
from harness.data.fingerprint import digest_cache, sequence_digest
from harness.metrics.tasks import EXPRESSIONS
from harness.utils.hashing import content_hash
from harness.utils.json_cache import JsonCache

BLOCK_IMAGES = 512
BLOCKS_BETWEEN_SAVES = 64
READERS = 8


@dataclass(frozen=True, eq=False)
class Stills:
    """N images: paths; subject int64 [N] into subjects; expression int64 [N] into classes, -1 none.

    va: float32 [N, 2] valence, arousal in [-1, 1], -5 none; au: int8 [N, 12], -1 none;
    boxes: float32 [N, 4] left, top, right, bottom of the face in pixels, NaN none; None where no image has any.
    Where an image's subject is not known, the image is its own.
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
        """The rows of an index array, in its order, or of a mask; subjects and classes keep their numbers."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        images = tuple(self.images[row] for row in rows.tolist())
        va, au, boxes = (None if part is None else part[rows] for part in (self.va, self.au, self.boxes))
        return replace(
            self, images=images, subject=self.subject[rows], expression=self.expression[rows], va=va, au=au, boxes=boxes
        )

    def digest(self, cache: Path | None = None, progress: Callable[[int, int], None] | None = None) -> str:
        """16 hex digits over the images' names and bytes, and everything that is known of them, in row order.

        cache: file that remembers the digests of images by their stat; progress: called with images done and in all.
        """
        kept, found = digest_cache(cache), []
        blocks = [self.images[start : start + BLOCK_IMAGES] for start in range(0, len(self), BLOCK_IMAGES)]
        with ThreadPoolExecutor(READERS) as pool:
            for start in range(0, len(blocks), BLOCKS_BETWEEN_SAVES):
                for value in pool.map(partial(_digest_images, kept), blocks[start : start + BLOCKS_BETWEEN_SAVES]):
                    found.append(value)
                    if progress is not None:
                        progress(min(len(found) * BLOCK_IMAGES, len(self)), len(self))
                kept.save()
        known = {name: _digest_array(getattr(self, name)) for name in ("subject", "expression", "va", "au", "boxes")}
        return content_hash({"images": found, "subjects": self.subjects, "classes": self.classes} | known, 16)


def _digest_images(cache: JsonCache, images: tuple[Path, ...]) -> str:
    return sequence_digest(Sequence("", np.arange(1, len(images) + 1, dtype=np.int32), images), cache)


def _digest_array(values: np.ndarray | None) -> str | None:
    if values is None:
        return None
    described = f"{values.dtype.str} {values.shape}\n".encode()
    return hashlib.sha256(described + np.ascontiguousarray(values).tobytes()).hexdigest()
