"""Crops of one split that show the very picture of a crop of another: what is scored would have been trained on.

Every crop gets a difference hash of 64 bits (Krawetz 2013): of a thumbnail of 9 x 8 grey pixels, whether each is darker
than its right neighbour. Copies share it, those that were compressed or scaled again but for a bit or two. So do some
crops that merely resemble each other, so crops whose hashes differ in at most two bits are compared pixel by pixel.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.dataset import Dataset, Sequence
from harness.data.hamming import hamming_neighbors
from harness.utils.errors import InputError

THUMBNAIL_SIZE = (9, 8)
HASH_BITS = 64
MIN_DECODED_SIZE = (54, 48)
"""A JPEG is decoded at least so large, so that a copy of another size gives the same thumbnail."""

COMPARISON_SIZE = 16
"""Side of the pictures by which the nearest of several candidates is found."""

MIN_CONTRAST = 4.0
"""Standard deviation of a thumbnail, of 255, below which a crop shows nothing that could be recognised."""

MAX_DIFFERENCE = 4.0
"""Mean absolute difference of grey pixels, of 255, up to which two crops are one picture."""


@dataclass(frozen=True, eq=False)
class CropHashes:
    """Of every crop, sequences one after another by name: its hash uint64 [N], and whether it shows anything [N]."""

    names: tuple[str, ...]
    ends: np.ndarray
    hashes: np.ndarray
    shows: np.ndarray


@dataclass(frozen=True, order=True)
class NearDuplicate:
    """A crop of a split that is also in the training split, and the tasks of which that is so.

    image, training_image: files, relative to the data set's folder.
    """

    split: str
    image: str
    training_image: str
    tasks: tuple[str, ...] = ()


def hash_crops(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> CropHashes:
    """The hashes of every crop, on all cores; a crop that cannot be decoded shows nothing.

    progress: called with sequences done and in all. 0.15 ms a crop of 112 x 112 pixels on one core.
    """
    names = tuple(sorted(dataset.sequences))
    found = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for name in names:
            found.append(
                _difference_hashes(list(pool.map(_read_thumbnail, dataset.sequences[name].images, chunksize=64)))
            )
            if progress is not None:
                progress(len(found), len(names))
    hashes, shows = (
        (np.concatenate(parts) for parts in zip(*found)) if found else (np.zeros(0, np.uint64), np.zeros(0, bool))
    )
    return CropHashes(names, np.cumsum([len(part) for part, _ in found]), hashes, shows)


def find_near_duplicates(
    dataset: Dataset, tasks: Iterable[str], hashes: CropHashes, training: str, others: Iterable[str]
) -> list[NearDuplicate]:
    """Crops of the splits `others` that are also in the split `training` of the same task, each with the likest there.

    No label is read. Splits that a task does not have are passed over.
    """
    crops = _CropMatcher(dataset, hashes)
    found: dict[tuple, list[str]] = {}
    for task in tasks:
        trained = crops.crop_indices(task, training)
        for split in others:
            for ours, theirs in crops.matching_pairs(crops.crop_indices(task, split), trained):
                found.setdefault((split, crops.relative_path(ours), crops.relative_path(theirs)), []).append(task)
    return sorted(NearDuplicate(*key, tasks=tuple(named)) for key, named in found.items())


class _CropMatcher:
    """Crops of a data set by their places in its hashes; pictures that were compared are remembered."""

    def __init__(self, dataset: Dataset, hashes: CropHashes) -> None:
        self.dataset, self.hashes = dataset, hashes
        self.frames: dict[str, np.ndarray] = {}
        self.sequences: dict[str, Sequence] = {}
        self.begin = dict(zip(hashes.names, np.concatenate([[0], hashes.ends[:-1]]).tolist()))
        self.pictures: dict[int, np.ndarray] = {}
        self.verdicts: dict[tuple[int, int], bool] = {}

    def crop_indices(self, task: str, split: str) -> np.ndarray:
        """int64 [n]: places of a split's crops that show something."""
        frames: dict[str, np.ndarray] = {}
        with suppress(InputError):  # no such split; a malformed one is told of by whoever needs it
            frames = self.dataset.frames(task, split)
        places = [
            self.begin[name] + np.searchsorted(self._sequence_frames(name), held) for name, held in frames.items()
        ]
        found = np.concatenate([np.zeros(0, np.int64), *places]).astype(np.int64)
        return found[self.hashes.shows[found]]

    def matching_pairs(self, ours: np.ndarray, trained: np.ndarray) -> Iterator[tuple[int, int]]:
        """(crop, training crop) of one picture."""
        own, theirs = (_HashIndex(places, self.hashes.hashes[places]) for places in (ours, trained))
        pairs = hamming_neighbors(own.values, theirs.values)
        firsts, begin = np.unique(pairs[:, 0], return_index=True)
        for first, near in zip(firsts.tolist(), np.split(pairs[:, 1], begin[1:])):
            candidates = np.concatenate([theirs.crops_with_hash(value) for value in near.tolist()])
            for crop in own.crops_with_hash(first).tolist():
                likest = self._most_similar(crop, candidates)
                if crop != likest and self._is_same_image(crop, likest):
                    yield crop, likest

    def relative_path(self, place: int) -> str:
        root = self.dataset.root
        return os.path.relpath(self._image_path(place), root if root.is_dir() else root.parent)

    def _most_similar(self, crop: int, candidates: np.ndarray) -> int:
        if len(candidates) == 1:
            return int(candidates[0])
        pictures = np.stack([self._comparison_image(place) for place in candidates.tolist()]).astype(np.float32)
        return int(candidates[np.square(pictures - self._comparison_image(crop)).sum(axis=1).argmin()])

    def _comparison_image(self, place: int) -> np.ndarray:
        if place not in self.pictures:
            picture = _open_grayscale(self._image_path(place)).resize((COMPARISON_SIZE, COMPARISON_SIZE))
            self.pictures[place] = np.asarray(picture, np.uint8).reshape(-1)
        return self.pictures[place]

    def _is_same_image(self, one: int, other: int) -> bool:
        if (one, other) not in self.verdicts:
            first, second = _open_grayscale(self._image_path(one)), _open_grayscale(self._image_path(other))
            size = min(first.size, second.size)
            first, second = (picture if picture.size == size else picture.resize(size) for picture in (first, second))
            difference = np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).mean()
            self.verdicts[one, other] = bool(difference <= MAX_DIFFERENCE)
        return self.verdicts[one, other]

    def _image_path(self, place: int) -> Path:
        name = self._sequence_name(place)
        return self._get_sequence(name).images[place - self.begin[name]]

    def _sequence_name(self, place: int) -> str:
        return self.hashes.names[int(np.searchsorted(self.hashes.ends, place, side="right"))]

    def _sequence_frames(self, name: str) -> np.ndarray:
        """A folder of crops is listed once; the paths of all of them would be too many to keep."""
        if name not in self.frames:
            self.frames[name] = self.dataset.sequences[name].frames
        return self.frames[name]

    def _get_sequence(self, name: str) -> Sequence:
        """Of the few whose crops are looked at."""
        if name not in self.sequences:
            self.sequences[name] = self.dataset.sequences[name]
        return self.sequences[name]


class _HashIndex:
    """Places by their hashes; values: the distinct ones, ascending."""

    def __init__(self, places: np.ndarray, hashes: np.ndarray) -> None:
        order = np.argsort(hashes, kind="stable")
        self.places = places[order]
        self.values, self.begin = np.unique(hashes[order], return_index=True)

    def crops_with_hash(self, value: int) -> np.ndarray:
        """The places of values[value]."""
        end = self.begin[value + 1] if value + 1 < len(self.begin) else None
        return self.places[self.begin[value] : end]


def _open_grayscale(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("L")


def _read_thumbnail(path: Path) -> np.ndarray | None:
    """uint8 [8, 9], decoded no larger than needed; None for what is no sound image."""
    try:
        with Image.open(path) as image:
            image.draft("L", MIN_DECODED_SIZE)
            return np.asarray(image.convert("L").resize(THUMBNAIL_SIZE, Image.Resampling.BOX))
    except MemoryError:
        raise
    except Exception:  # Pillow's readers raise a dozen kinds; extraction says which crops are corrupt
        return None


def _difference_hashes(thumbnails: list[np.ndarray | None]) -> tuple[np.ndarray, np.ndarray]:
    """uint64 [T] hashes of a sequence, bool [T] whether its crops show anything."""
    blank = np.zeros(THUMBNAIL_SIZE[::-1], np.uint8)
    stacked = np.array([blank if each is None else each for each in thumbnails], np.int16).reshape(-1, *blank.shape)
    darker = stacked[:, :, :-1] < stacked[:, :, 1:]
    packed = np.packbits(darker.reshape(len(stacked), HASH_BITS), axis=1)
    return packed.view(">u8").reshape(-1).astype(np.uint64), stacked.std(axis=(1, 2)) >= MIN_CONTRAST
