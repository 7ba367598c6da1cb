"""Where features live: one entry per network, preprocessing, images and precision; torch-free.

<root>/<key>/entry.json                                  written last: an entry that has one is complete
<root>/<key>/<sequence>/{embeddings,scores,frames}.npy   a folder written aside and renamed whole
<root>/<key>/<sequence>/corrupt.json                     only where a crop could not be decoded
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
    """An .npy file of an array [T, width] of `dtype`; ValueError or OSError where it is none, or not whole.

    rows: [T, width], read from the file as they are used.
    """

    def __init__(self, path: Path, width: int, dtype: str) -> None:
        with open(path, "rb") as file:
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError("not an array of this store")
            shape, by_columns, found = np.lib.format.read_array_header_1_0(file)
            if shape[1:] != (width,) or by_columns or found != dtype:
                raise ValueError(
                    f"holds {list(shape)} of {found}{' by columns' if by_columns else ''}, not [T, {width}] of {dtype}"
                )
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            start, count = file.tell(), shape[0] * width
        if start + count * found.itemsize > len(self._map):
            raise ValueError(f"ends before its row {shape[0]}")
        self.rows = np.frombuffer(self._map, found, count, start).reshape(shape)

    def release(self) -> None:
        """Let the pages that were read no longer count as this process's memory; the system's cache keeps them."""
        if hasattr(mmap, "MADV_DONTNEED"):
            self._map.madvise(mmap.MADV_DONTNEED)


Opened = TypeVar("Opened")

FORMAT_VERSION = 2
"""Of the key and of entry.json; raised when either changes its meaning."""

PRECISIONS = ("float16", "float32")
PARTS = {"embeddings": ("embeddings",), "scores": ("scores",), "embeddings+scores": ("embeddings", "scores")}


def entry_key(
    architecture: str,
    weights_hash: str,
    preprocessing: dict[str, Any],
    data_digest: str,
    dtype: str,
    compute: str = "float32",
) -> str:
    """The key of an entry: 16 hex digits over everything its arrays depend on.

    architecture: the spec's constructor. Two networks may hold the same tensors and compute different things with
    them (timm's efficientnet_b0 and tf_efficientnet_b0 pad differently). compute: what the forward passes compute in.
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
    """The features of every crop of a dataset by one backbone.

    widths: columns of `embeddings` and `scores`; sequences: crops stored, by name; corrupt: crops that could not be
    decoded, each with `sequence`, `frame`, `image` and `reason`; they are treated as missing. dtype: as stored;
    compute: what the forward passes computed in; engine: what ran them, "" where that was not kept.
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
        """Columns of `embeddings`, `scores` or `embeddings+scores`."""
        return sum(self.widths[part] for part in feature_parts(features))

    def read(self, sequence: str, features: str) -> tuple[np.ndarray, ...]:
        """Memory maps [T, D], one for each part of `features`, rows as in `frames(sequence)`."""
        return tuple(self._memory_map(sequence, part) for part in feature_parts(features))

    def open(self, sequence: str, part: str) -> StoredArray:
        """`embeddings` or `scores` [T, D] of a sequence, to be read by position, rows as in `frames(sequence)`."""
        return self._open_array(partial(StoredArray, width=self.widths[part], dtype=self.dtype), sequence, part)

    def frames(self, sequence: str) -> np.ndarray:
        """int32 [T] memory map: frame numbers, ascending."""
        return self._memory_map(sequence, "frames")

    def _memory_map(self, sequence: str, part: str) -> np.ndarray:
        return self._open_array(partial(np.load, mmap_mode="r", allow_pickle=False), sequence, part)

    def _open_array(self, how: Callable[[Path], Opened], sequence: str, part: str) -> Opened:
        if sequence not in self.sequences:
            raise unknown_name_error("sequence", sequence, self.sequences)
        path = self.path / sequence / f"{part}.npy"
        try:
            return how(path)
        except (OSError, ValueError) as error:
            raise FramelightError(
                f"{path} cannot be read ({error}); remove {self.path} and run the command again"
            ) from error


class FeatureStore:
    """The feature entries under one folder."""

    def __init__(self, root: Path) -> None:
        self.root = Path(root)

    @property
    def digests(self) -> Path:
        """Cache of content digests of images, kept beside the entries."""
        return self.root / DIGESTS

    def key(self, backbone: Backbone | BackboneInfo, data_digest: str, dtype: str, compute: str = "float32") -> str:
        spec = backbone.spec
        return entry_key(
            spec.constructor, backbone.weights_hash, spec.preprocessing.as_dict(), data_digest, dtype, compute
        )

    def find(
        self, backbone: Backbone | BackboneInfo, data_digest: str, dtype: str, compute: str = "float32"
    ) -> FeatureEntry | None:
        """The complete entry of a backbone on a dataset's images, or None; reads one small file."""
        key = self.key(backbone, data_digest, dtype, compute)
        return self.entry(key) if (self.root / key / "entry.json").is_file() else None

    def entry(self, key: str) -> FeatureEntry:
        """The complete entry of that key; InputError when there is none."""
        path = self.root / key
        try:
            fields = json.loads((path / "entry.json").read_text(encoding="utf-8"))
            ran = fields.get("engine", {})
            return FeatureEntry(
                path,
                key,
                fields["backbone"],
                fields["data_digest"],
                fields["dtype"],
                fields["widths"],
                fields["sequences"],
                tuple(fields["corrupt"]),
                ran.get("precision", "float32"),
                ran.get("name", ""),
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
        """Put a sequence's arrays in place whole; one that another process put there first is kept."""
        with atomic_write_dir(self.sequence_path(key, sequence)) as aside:
            for name, array in arrays.items():
                _save_array(aside / f"{name}.npy", array)
            if corrupt:
                write_json(aside / "corrupt.json", corrupt)

    def complete(self, key: str, sequences: list[str], fields: dict[str, Any]) -> FeatureEntry:
        """Write entry.json once every sequence is in place."""
        stored = {
            name: int(len(np.load(self.sequence_path(key, name) / "frames.npy", mmap_mode="r"))) for name in sequences
        }
        corrupt = [fault for name in sequences for fault in self._read_corrupt(key, name)]
        write_json(
            self.root / key / "entry.json",
            {"format": FORMAT_VERSION, "key": key, **fields, "sequences": stored, "corrupt": corrupt},
        )
        remove_stale_temp_files(self.root / key)
        return self.entry(key)

    def sequence_path(self, key: str, sequence: str) -> Path:
        if "/" in sequence or sequence.startswith(".") or sequence in ("entry.json", "engine.json"):
            raise InputError(f"sequence name '{sequence}' cannot be a folder name; rename it")
        return self.root / key / sequence

    def _read_corrupt(self, key: str, sequence: str) -> list[dict[str, Any]]:
        path = self.sequence_path(key, sequence) / "corrupt.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []


def feature_parts(features: str) -> tuple[str, ...]:
    """The stored arrays that `embeddings`, `scores` or `embeddings+scores` are made of; InputError for others."""
    if features not in PARTS:
        raise unknown_name_error("features", features, PARTS)
    return PARTS[features]


def _save_array(path: Path, array: np.ndarray) -> None:
    """`numpy.save`, but a full disk shows as the OSError it is."""
    with open(path, "wb") as file:
        np.lib.format.write_array_header_1_0(file, np.lib.format.header_data_from_array_1_0(array))
        file.write(np.ascontiguousarray(array).data)
