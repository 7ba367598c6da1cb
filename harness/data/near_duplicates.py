"""Search for crops of one split that duplicate a crop of another split.

Every crop is hashed, see `harness.data.image_hashes`. For each searched crop, the candidates are the training crops
whose row hash differs in at most two bits. The most similar candidate is then compared with the crop pixel by pixel,
because crops that are merely similar can also have nearly equal hashes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from harness.data.dataset import Dataset, Sequence
from harness.data.hamming import hamming_neighbors
from harness.data.image_decoding import open_image, require_size
from harness.data.image_hashes import ImageHashes, concatenate, hash_images
from harness.utils.errors import InputError

COMPARISON_SIZE = 16
"""Side in pixels of the reduced images by which the most similar candidate is selected."""

MAX_DIFFERENCE = 4.0
"""Maximum mean absolute difference of two duplicates, in gray levels (0 to 255)."""


@dataclass(frozen=True, eq=False)
class CropHashes:
    """Hashes of all N crops of a dataset, sequence by sequence.

    Attributes
    ----------
    names : tuple of str
        Names of the sequences, sorted.
    ends : int64 array
        Index after the last crop of each sequence.
    hashes, columns : uint64 array of shape (N,)
        Row hashes and column hashes. The search for duplicates uses only the row hashes.
    shows : bool array of shape (N,)
        Whether the crop could be decoded and has enough contrast.
    """

    names: tuple[str, ...]
    ends: np.ndarray
    hashes: np.ndarray
    columns: np.ndarray
    shows: np.ndarray


@dataclass(frozen=True, order=True)
class NearDuplicate:
    """A crop that duplicates a crop of the training split.

    Attributes
    ----------
    split : str
        Split of the crop.
    image, training_image : str
        Image files, relative to the folder of the dataset.
    tasks : tuple of str
        Tasks for which `image` is in `split` and `training_image` is in the training split.
    """

    split: str
    image: str
    training_image: str
    tasks: tuple[str, ...] = ()


def hash_crops(dataset: Dataset, progress: Callable[[int, int], None] | None = None) -> CropHashes:
    """Hash all crops of a dataset, on all cores.

    Parameters
    ----------
    dataset : Dataset
    progress : callable, optional
        Called with the number of sequences done and the total.

    Returns
    -------
    CropHashes
    """
    names = tuple(sorted(dataset.sequences))
    parts: list[ImageHashes] = []
    for name in names:
        parts.append(hash_images(dataset.sequences[name].images, upright=dataset.upright))
        if progress is not None:
            progress(len(parts), len(names))
    hashes = concatenate(parts)
    ends = np.cumsum([len(part.rows) for part in parts], dtype=np.int64)
    return CropHashes(names, ends, hashes.rows, hashes.columns, hashes.shows)


def find_near_duplicates(
    dataset: Dataset, tasks: Iterable[str], hashes: CropHashes, training: str, others: Iterable[str]
) -> list[NearDuplicate]:
    """For each task, find crops that duplicate a crop of its training split; labels are not read.

    Parameters
    ----------
    dataset : Dataset
    tasks : iterable of str
    hashes : CropHashes
    training : str
        Name of the training split.
    others : iterable of str
        Names of the splits to search; splits that a task lacks are skipped.

    Returns
    -------
    list of NearDuplicate
        Each duplicate with its most similar training crop, sorted.
    """
    crops = _CropMatcher(dataset, hashes)
    tasks_by_pair: dict[tuple[str, str, str], list[str]] = {}
    for task in tasks:
        training_crops = crops.crop_indices(task, training)
        for split in others:
            for crop, match in crops.matching_pairs(crops.crop_indices(task, split), training_crops):
                pair = (split, crops.relative_path(crop), crops.relative_path(match))
                tasks_by_pair.setdefault(pair, []).append(task)
    return sorted(NearDuplicate(*pair, tuple(names)) for pair, names in tasks_by_pair.items())


class CropIndex:
    """Positions of the crops of a dataset in the arrays of its hashes, and their image files.

    Parameters
    ----------
    dataset : Dataset
    hashes : CropHashes
    """

    def __init__(self, dataset: Dataset, hashes: CropHashes) -> None:
        self.dataset, self.hashes = dataset, hashes
        self.frames: dict[str, np.ndarray] = {}
        self.sequences: dict[str, Sequence] = {}
        self.begin = dict(zip(hashes.names, np.concatenate([[0], hashes.ends[:-1]]).tolist()))

    def crop_indices(self, task: str, split: str) -> np.ndarray:
        """Return the indices of a split's crops that can be compared, int64 (n,)."""
        frames: dict[str, np.ndarray] = {}
        with suppress(InputError):  # no such split; a malformed one is reported elsewhere
            frames = self.dataset.frames(task, split)
        parts = [
            self.begin[name] + np.searchsorted(self._sequence_frames(name), numbers) for name, numbers in frames.items()
        ]
        indices = np.concatenate([np.zeros(0, np.int64), *parts]).astype(np.int64)
        return indices[self.hashes.shows[indices]]

    def image_path(self, crop: int) -> Path:
        """Return the image file of a crop."""
        name = self._sequence_name(crop)
        return self._get_sequence(name).images[crop - self.begin[name]]

    def relative_path(self, crop: int) -> str:
        """Return the image file of a crop, relative to the folder of the dataset."""
        root = self.dataset.root
        return os.path.relpath(self.image_path(crop), root if root.is_dir() else root.parent)

    def _sequence_name(self, crop: int) -> str:
        return self.hashes.names[int(np.searchsorted(self.hashes.ends, crop, side="right"))]

    def _sequence_frames(self, name: str) -> np.ndarray:
        """Return the frame numbers of a sequence, cached; image paths are not cached: they would take much memory."""
        if name not in self.frames:
            self.frames[name] = self.dataset.sequences[name].frames
        return self.frames[name]

    def _get_sequence(self, name: str) -> Sequence:
        """Return a sequence, cached; only the few sequences with compared crops are needed."""
        if name not in self.sequences:
            self.sequences[name] = self.dataset.sequences[name]
        return self.sequences[name]


class _CropMatcher(CropIndex):
    """Matcher of the crops of a dataset; caches compared images."""

    def __init__(self, dataset: Dataset, hashes: CropHashes) -> None:
        super().__init__(dataset, hashes)
        self.images: dict[int, np.ndarray] = {}
        self.verdicts: dict[tuple[int, int], bool] = {}

    def matching_pairs(self, crops: np.ndarray, training_crops: np.ndarray) -> Iterator[tuple[int, int]]:
        """Yield pairs of a crop and the training crop that it duplicates."""
        queries, references = (_HashIndex(rows, self.hashes.hashes[rows]) for rows in (crops, training_crops))
        pairs = hamming_neighbors(queries.values, references.values)
        firsts, begin = np.unique(pairs[:, 0], return_index=True)
        for first, near in zip(firsts.tolist(), np.split(pairs[:, 1], begin[1:])):
            candidates = np.concatenate([references.crops_with_hash(value) for value in near.tolist()])
            for crop in queries.crops_with_hash(first).tolist():
                nearest = self._most_similar(crop, candidates)
                if crop != nearest and self._is_same_image(crop, nearest):
                    yield crop, nearest

    def _most_similar(self, crop: int, candidates: np.ndarray) -> int:
        if len(candidates) == 1:
            return int(candidates[0])
        images = np.stack([self._comparison_image(index) for index in candidates.tolist()]).astype(np.float32)
        return int(candidates[np.square(images - self._comparison_image(crop)).sum(axis=1).argmin()])

    def _comparison_image(self, crop: int) -> np.ndarray:
        if crop not in self.images:
            image = self._open_grayscale(crop).resize((COMPARISON_SIZE, COMPARISON_SIZE))
            self.images[crop] = np.asarray(image, np.uint8).reshape(-1)
        return self.images[crop]

    def _is_same_image(self, crop: int, candidate: int) -> bool:
        if (crop, candidate) not in self.verdicts:
            first, second = self._open_grayscale(crop), self._open_grayscale(candidate)
            size = min(first.size, second.size)
            first, second = (image if image.size == size else image.resize(size) for image in (first, second))
            difference = np.abs(np.asarray(first, np.int16) - np.asarray(second, np.int16)).mean()
            self.verdicts[crop, candidate] = bool(difference <= MAX_DIFFERENCE)
        return self.verdicts[crop, candidate]

    def _open_grayscale(self, crop: int) -> Image.Image:
        path = self.image_path(crop)
        with open_image(path, self.dataset.upright) as image:
            require_size(path, *image.size)
            return image.convert("L")


class _HashIndex:
    """Indices of crops by hash; `values` are the distinct hashes in ascending order."""

    def __init__(self, crops: np.ndarray, hashes: np.ndarray) -> None:
        order = np.argsort(hashes, kind="stable")
        self.crops = crops[order]
        self.values, self.begin = np.unique(hashes[order], return_index=True)

    def crops_with_hash(self, value: int) -> np.ndarray:
        """Return the indices of the crops whose hash is `self.values[value]`."""
        end = self.begin[value + 1] if value + 1 < len(self.begin) else None
        return self.crops[self.begin[value] : end]
