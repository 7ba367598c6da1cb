"""Store of features: one entry per network, preprocessing, images and precision. Does not import torch.

<root>/<key>/entry.json                                  written last: an entry with this file is complete
<root>/<key>/<sequence>/{embeddings,scores,frames}.npy   the folder is written atomically
<root>/<key>/<sequence>/corrupt.json                     only if a crop could not be decoded
"""

from __future__ import annotations

import json
import mmap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from harness.utils.errors import FramelightError, InputError, unknown_name_error
from harness.utils.files import atomic_write_dir, remove_stale_temp_files, write_json
from harness.utils.hashing import content_hash
from harness.utils.store import DIGESTS

if TYPE_CHECKING:
    from backbones import Backbone, BackboneInfo


class StoredArray:
    """Memory-mapped .npy file.

    Parameters
    ----------
    path : Path
        The file.
    width : int
        Expected number of columns.
    dtype : str
        Expected type.

    Attributes
    ----------
    rows : ndarray of shape (T, width)
        The array, read from disk on access.

    Raises
    ------
    ValueError, OSError
        If the file cannot be read, is truncated, or has another shape or type.
    """

    def __init__(self, path: Path, width: int, dtype: str) -> None:
        with path.open("rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not an array of this store")
            shape, fortran_order, stored_dtype = np.lib.format.read_array_header_1_0(file)
            if shape[1:] != (width,) or fortran_order or stored_dtype != dtype:
                order = " in Fortran order" if fortran_order else ""
                raise ValueError(
                    f"has shape {list(shape)} and type {stored_dtype}{order}, expected [T, {width}] and {dtype}"
                )
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            start, count = file.tell(), shape[0] * width
        if start + count * stored_dtype.itemsize > len(self._map):
            raise ValueError(f"is truncated before row {shape[0]}")
        self.rows = np.frombuffer(self._map, stored_dtype, count, start).reshape(shape)

    def release(self) -> None:
        """Remove the pages that were read from the memory of this process; the system's page cache keeps them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


Opened = TypeVar("Opened")

FORMAT_VERSION = 2
"""Version of the key and of entry.json; increased when the meaning of either changes."""

PRECISIONS = ("float16", "float32")
PARTS = {"embeddings": ("embeddings",), "scores": ("scores",), "embeddings+scores": ("embeddings", "scores")}
"""Stored arrays of each kind of features."""


def entry_key(
    architecture: str,
    weights_hash: str,
    preprocessing: dict[str, Any],
    data_digest: str,
    dtype: str,
    compute: str = "float32",
) -> str:
    """Compute the key of an entry: a hash over everything that its arrays depend on.

    Parameters
    ----------
    architecture : str
        Constructor in the backbone's spec. Two networks may have the same weights and compute different outputs:
        timm's efficientnet_b0 and tf_efficientnet_b0 use different padding.
    weights_hash : str
        Hash of the weights.
    preprocessing : dict
        Settings of the preprocessing, as JSON types.
    data_digest : str
        Digest of the images.
    dtype : {"float16", "float32"}
        Precision of the stored features.
    compute : {"float32", "bf16", "fp16"}
        Precision of the forward passes.

    Returns
    -------
    str
        16 hexadecimal digits.

    Raises
    ------
    InputError
        If `dtype` is unknown.
    """
    if dtype not in PRECISIONS:
        raise unknown_name_error("precision", dtype, PRECISIONS)
    reduced = {} if compute == "float32" else {"compute": compute}
    return content_hash(
        {
            "format": FORMAT_VERSION,
            "architecture": architecture,
            "weights": weights_hash,
            "preprocessing": preprocessing,
            "data": data_digest,
            "dtype": dtype,
            **reduced,
        },
        16,
    )


@dataclass(frozen=True)
class FeatureEntry:
    """Features of all crops of a data set by one backbone.

    Attributes
    ----------
    path : Path
        Folder of the entry.
    key : str
        See `entry_key`.
    backbone : dict
        Reference, label, weights, preprocessing and score labels of the backbone.
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
        """Return memory maps [T, D], one for each part of `features`; the rows match `frames(sequence)`."""
        return tuple(self._memory_map(sequence, part) for part in feature_parts(features))

    def open(self, sequence: str, part: str) -> StoredArray:
        """Open `embeddings` or `scores` [T, D] of a sequence; the rows match `frames(sequence)`."""
        return self._open_array(partial(StoredArray, width=self.widths[part], dtype=self.dtype), sequence, part)

    def frames(self, sequence: str) -> np.ndarray:
        """Return the frame numbers of a sequence, ascending, as an int32 [T] memory map."""
        return self._memory_map(sequence, "frames")

    def _memory_map(self, sequence: str, part: str) -> np.ndarray:
        return self._open_array(partial(np.load, mmap_mode="r", allow_pickle=False), sequence, part)

    def _open_array(self, opener: Callable[[Path], Opened], sequence: str, part: str) -> Opened:
        if sequence not in self.sequences:
            raise unknown_name_error("sequence", sequence, self.sequences)
        path = self.path / sequence / f"{part}.npy"
        try:
            return opener(path)
        except (OSError, ValueError) as error:
            raise FramelightError(
                f"{path} cannot be read ({error}); remove {self.path} and run the command again"
            ) from error


class FeatureStore:
    """The feature entries in one folder.

    Parameters
    ----------
    root : Path
        The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def digests(self) -> Path:
        """File that caches the digests of image files."""
        return self.root / DIGESTS

    def key(self, backbone: Backbone | BackboneInfo, data_digest: str, dtype: str, compute: str = "float32") -> str:
        """Compute the key of the entry of a backbone, see `entry_key`."""
        spec = backbone.spec
        return entry_key(
            spec.constructor, backbone.weights_hash, spec.preprocessing.as_dict(), data_digest, dtype, compute
        )

    def find(
        self, backbone: Backbone | BackboneInfo, data_digest: str, dtype: str, compute: str = "float32"
    ) -> FeatureEntry | None:
        """Return the complete entry of a backbone for images with a given digest, or None; reads one small file."""
        key = self.key(backbone, data_digest, dtype, compute)
        return self.entry(key) if (self.root / key / "entry.json").is_file() else None

    def entry(self, key: str) -> FeatureEntry:
        """Read the complete entry with a given key.

        Raises
        ------
        InputError
            If there is no such entry.
        FramelightError
            If its entry.json cannot be read.
        """
        path = self.root / key
        try:
            fields = json.loads((path / "entry.json").read_text(encoding="utf-8"))
            engine = fields.get("engine", {})
            return FeatureEntry(
                path,
                key,
                fields["backbone"],
                fields["data_digest"],
                fields["dtype"],
                fields["widths"],
                fields["sequences"],
                tuple(fields["corrupt"]),
                engine.get("precision", "float32"),
                engine.get("name", ""),
            )
        except FileNotFoundError as error:
            raise InputError(f"no complete feature entry at {path}; run framelight extract") from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise FramelightError(
                f"{path / 'entry.json'} cannot be read ({error}); remove {path} and run the command again"
            ) from error

    def write_sequence(
        self, key: str, sequence: str, arrays: dict[str, np.ndarray], corrupt: list[dict[str, Any]]
    ) -> None:
        """Write the arrays of a sequence atomically, unless another process wrote them first.

        Parameters
        ----------
        key : str
            Key of the entry.
        sequence : str
            Name of the sequence.
        arrays : dict of str to ndarray
            `embeddings`, `scores` and `frames`.
        corrupt : list of dict
            Crops that could not be decoded, see `FeatureEntry`.
        """
        with atomic_write_dir(self.sequence_path(key, sequence)) as temp_dir:
            for name, array in arrays.items():
                _save_array(temp_dir / f"{name}.npy", array)
            if corrupt:
                write_json(temp_dir / "corrupt.json", corrupt)

    def complete(self, key: str, sequences: list[str], fields: dict[str, Any]) -> FeatureEntry:
        """Write entry.json, after all sequences; `fields` is its content but for the crops.

        Returns
        -------
        FeatureEntry
            The complete entry.
        """
        stored = {name: len(np.load(self.sequence_path(key, name) / "frames.npy", mmap_mode="r")) for name in sequences}
        corrupt = [fault for name in sequences for fault in self._read_corrupt(key, name)]
        write_json(
            self.root / key / "entry.json",
            {"format": FORMAT_VERSION, "key": key, **fields, "sequences": stored, "corrupt": corrupt},
        )
        remove_stale_temp_files(self.root / key)
        return self.entry(key)

    def sequence_path(self, key: str, sequence: str) -> Path:
        """Return the folder of a sequence; raise InputError if its name cannot be the name of a folder."""
        if "/" in sequence or sequence.startswith(".") or sequence in ("entry.json", "engine.json"):
            raise InputError(f"the sequence name '{sequence}' cannot be used as a folder name; rename the sequence")
        return self.root / key / sequence

    def _read_corrupt(self, key: str, sequence: str) -> list[dict[str, Any]]:
        path = self.sequence_path(key, sequence) / "corrupt.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def feature_parts(features: str) -> tuple[str, ...]:
    """Return the stored arrays of `embeddings`, `scores` or `embeddings+scores`; raise InputError for other names."""
    if features not in PARTS:
        raise unknown_name_error("features", features, PARTS)
    return PARTS[features]


def _save_array(path: Path, array: np.ndarray) -> None:
    """Write an .npy file like `numpy.save`, which would hide the cause of a full disk."""
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)
