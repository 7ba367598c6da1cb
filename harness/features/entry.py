"""Feature entries: the features of all crops of a dataset by one backbone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from backbones.regular_files import require_regular
from harness.features.stored_array import StoredArray
from harness.utils.errors import FramelightError, unknown_name_error

Opened = TypeVar("Opened")

PARTS = {"embeddings": ("embeddings",), "scores": ("scores",), "embeddings+scores": ("embeddings", "scores")}
"""Stored arrays of each kind of features."""


@dataclass(frozen=True)
class FeatureEntry:
    """Features of all crops of a dataset by one backbone.

    Attributes
    ----------
    path : Path
        Folder of the entry.
    key : str
        Key of the entry; see `harness.features.store.entry_key`.
    backbone : dict
        Description of the backbone: reference, label, weights, hash of the weights, whether the weights are random,
        preprocessing, and score labels.
    data_digest : str
        Digest of the images.
    dtype : {"float16", "float32"}
        Precision of the stored features.
    widths : dict of str to int
        Numbers of columns of `embeddings` and `scores`.
    sequences : dict of str to int
        Number of stored crops of each sequence.
    corrupt : tuple of dict
        Crops that could not be decoded, with `sequence`, `frame`, `image` and `reason`. They are treated as missing.
    compute : str
        Precision of the forward passes.
    engine : str
        Name of the inference engine; "" if unknown.
    """

    path: Path
    key: str
    backbone: dict[str, Any]
    data_digest: str
    dtype: str
    widths: dict[str, int]
    sequences: dict[str, int]
    corrupt: tuple[dict[str, Any], ...]
    compute: str = "float32"
    engine: str = ""

    def width(self, features: str) -> int:
        """Return the number of columns of `embeddings`, `scores` or `embeddings+scores`."""
        return sum(self.widths[part] for part in feature_parts(features))

    def read(self, sequence: str, features: str) -> tuple[np.ndarray, ...]:
        """Return a memory map of each stored array of `features`; its rows match `frames(sequence)`."""
        return tuple(self._memory_map(sequence, part) for part in feature_parts(features))

    def open(self, sequence: str, part: str) -> StoredArray:
        """Open the array `embeddings` or `scores` of a sequence; its rows match `frames(sequence)`."""
        return self._open_array(partial(StoredArray, width=self.widths[part], dtype=self.dtype), sequence, part)

    def frames(self, sequence: str) -> np.ndarray:
        """Return the frame numbers of the stored crops of a sequence, ascending, as an int32 memory map."""
        return self._memory_map(sequence, "frames")

    def _memory_map(self, sequence: str, part: str) -> np.ndarray:
        return self._open_array(partial(np.lib.format.open_memmap, mode="r"), sequence, part)

    def _open_array(self, opener: Callable[[Path], Opened], sequence: str, part: str) -> Opened:
        if sequence not in self.sequences:
            raise unknown_name_error("sequence", sequence, self.sequences)
        path = self.path / sequence / f"{part}.npy"
        try:
            require_regular(path)
            return opener(path)
        except (OSError, ValueError, OverflowError) as error:
            raise FramelightError(
                f"{path} cannot be read ({error}); remove {self.path} and run the command again"
            ) from error


def feature_parts(features: str) -> tuple[str, ...]:
    """Return the stored arrays of `embeddings`, `scores` or `embeddings+scores`; raise InputError for other names."""
    if features not in PARTS:
        raise unknown_name_error("features", features, PARTS)
    return PARTS[features]
