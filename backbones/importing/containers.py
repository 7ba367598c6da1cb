"""The two ways torch keeps a pickle and its storages in one file: a zip archive (since 1.6), and one after another."""

from __future__ import annotations

import io
import mmap
import struct
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from backbones.errors import printable
from backbones.importing import allowed
from backbones.importing.allowed import Malformed
from backbones.importing.pickles import Machine
from backbones.importing.values import Name, Storage, StoredTensor

ZIP_MAGIC = b"PK\x03\x04"
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
Fetch = Callable[[Storage], Tensor]


@contextmanager
def opened(path: Path) -> Iterator[tuple[Any, Fetch]]:
    """The value pickled in a file of `torch.save`, and a function that loads one of its storages."""
    with open(path, "rb") as file:
        head = file.read(len(ZIP_MAGIC))
        if not head:
            raise Malformed("it is empty")
        file.seek(0)
        if head == ZIP_MAGIC:
            with _archive(file) as archive:
                yield _zipped(archive)
            return
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as whole:
            yield _legacy(whole)


@contextmanager
def _archive(file: IO[bytes]) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError, RuntimeError, struct.error) as error:
        # what zipfile says of a file whose end is absent is that it is no archive
        what = "broken off" if "not a zip file" in str(error) else f"damaged ({error})"
        raise Malformed(f"its archive is {what}") from error


def _zipped(archive: zipfile.ZipFile) -> tuple[Any, Fetch]:
    names = _checked(archive)
    pickles = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
    if len(pickles) != 1:
        raise Malformed("its archive holds no data.pkl: torch.save did not write it")
    folder = pickles[0].removesuffix("data.pkl")
    order = archive.read(f"{folder}byteorder").strip() if f"{folder}byteorder" in names else b"little"
    if order not in (b"little", b"big"):
        raise Malformed("its byte order is neither little nor big")
    value = Machine(io.BytesIO(archive.read(pickles[0])), _storage_of).read()

    def fetch(storage: Storage) -> Tensor:
        name = f"{folder}data/{storage.key}"
        if name not in names:
            raise Malformed(f"the numbers of storage {storage.key} are absent")
        return _tensor(archive.read(name), storage, order.decode())

    return value, fetch


def _checked(archive: zipfile.ZipFile) -> Mapping[str, zipfile.ZipInfo]:
    """The entries by name: stored as they are, each once, and no larger together than the file."""
    entries = archive.infolist()
    names = {entry.filename: entry for entry in entries}
    if any(name.endswith("/constants.pkl") for name in names):
        raise Malformed("it is a TorchScript program, of which the layers cannot be told; save the state dict instead")
    packed = next((e for e in entries if e.compress_type != zipfile.ZIP_STORED or e.file_size != e.compress_size), None)
    if packed is not None:
        raise Malformed(f"{printable(packed.filename)} is compressed, which torch.save never does")
    archive.fp.seek(0, io.SEEK_END)
    if len(names) != len(entries) or sum(entry.file_size for entry in entries) > archive.fp.tell():
        raise Malformed("entries of its archive overlap")
    return names


def _legacy(whole: mmap.mmap) -> tuple[Any, Fetch]:
    def plain(_: Any) -> Any:
        raise Malformed("a storage where none belongs")

    if Machine(whole, plain).read() != LEGACY_MAGIC or Machine(whole, plain).read() != LEGACY_PROTOCOL:
        raise Malformed("torch.save did not write it")
    Machine(whole, plain).read()  # sizes of the writer's types; storages are little-endian on every machine
    found: dict[str, Storage] = {}

    def persistent(identity: Any) -> Any:
        storage = _storage_of(identity)
        return found.setdefault(storage.key, storage) if isinstance(storage, Storage) else storage

    value = Machine(whole, persistent).read()
    keys = Machine(whole, plain).read()
    places = _places(whole, keys, found)

    def fetch(storage: Storage) -> Tensor:
        if storage.key not in places:
            raise Malformed("the numbers of one of its storages are absent")
        start = places[storage.key]
        return _tensor(whole[start:start + storage.numel * storage.dtype.itemsize], storage, "little")

    return value, fetch


def _places(whole: mmap.mmap, keys: Any, found: Mapping[str, Storage]) -> dict[str, int]:
    """Where the numbers of each storage begin: behind their count, one storage after another."""
    if not isinstance(keys, list):
        raise Malformed("its list of storages is none")
    places, position = {}, whole.tell()
    for key in keys:
        storage = found.get(key) if isinstance(key, str) else None
        if storage is None:
            raise Malformed("it lists a storage that no tensor has")
        if int.from_bytes(whole[position:position + 8], "little") != storage.numel:
            raise Malformed("it is broken off, or a storage is of another length than its tensors say")
        places[key] = position + 8
        position += 8 + storage.numel * storage.dtype.itemsize
    if position > len(whole):
        raise Malformed("it is broken off")
    return places


def _storage_of(identity: Any) -> Storage | Name:
    """What torch's persistent ids stand for: a storage, or (in the older format) the class of a layer."""
    match identity:
        case ("module", Name() as name, *_):
            return name
        case ("storage", Name() as kind, str(key), _, int(numel), *rest) if rest in ([], [None]):
            if not allowed.is_storage(kind):
                raise Malformed(f"a storage of type {kind}")
            if not 0 <= numel < 2**48:
                raise Malformed(f"a storage of {numel} numbers")
            return Storage(key, allowed.STORAGES[kind.name], numel)
    raise Malformed("a persistent id that torch.save does not write")


def _tensor(data: bytes, storage: Storage, order: str) -> Tensor:
    if len(data) < storage.numel * storage.dtype.itemsize:
        raise Malformed(f"one of its storages holds {len(data)} bytes for {storage.numel} numbers")
    if not storage.numel:
        return torch.empty(0, dtype=storage.dtype)
    numbers = np.frombuffer(data, f"u{storage.dtype.itemsize}", storage.numel)
    numbers = numbers.byteswap() if order != sys.byteorder else numbers.copy()
    return torch.from_numpy(numbers.view(np.uint8)).view(storage.dtype)


def loaded(tensors: Mapping[str, StoredTensor], fetch: Fetch) -> dict[str, Tensor]:
    """The tensors themselves, each storage read once and each tensor with memory of its own."""
    storages: dict[Storage, Tensor] = {}
    result = {}
    for name, stored in tensors.items():
        if stored.storage not in storages:
            storages[stored.storage] = fetch(stored.storage)
        view = torch.as_strided(storages[stored.storage], stored.shape, stored.stride, stored.offset)
        result[name] = view.clone(memory_format=torch.contiguous_format)
    return result
