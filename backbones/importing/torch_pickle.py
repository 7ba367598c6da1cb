"""Load files of torch.save with `torch.load(weights_only=True)`; classes of layers become stubs without methods."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import torch

from backbones.errors import printable
from backbones.importing.allowed_globals import ATTRIBUTE_DICTS, GlobalName, MalformedPickleError, Storage
from backbones.importing.pickle_scan import PickleScan

ZIP_MAGIC = b"PK\x03\x04"
LEGACY_MAGIC, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
PLAIN_CLASSES = {
    "builtins.dict": dict,
    "builtins.list": list,
    "builtins.tuple": tuple,
    "builtins.frozenset": frozenset,
    "collections.defaultdict": lambda factory=None: {},
    "timm.layers.format.Format": str,
    **dict.fromkeys(ATTRIBUTE_DICTS, dict),
}


class PickledObject:
    """An object of a file: the name of its class, and its attributes as they were pickled."""

    cls: GlobalName
    state: Any = None

    def __new__(cls, *_: Any) -> PickledObject:
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        """Arguments are of no use to a stub."""

    def __setstate__(self, state: Any) -> None:
        self.state = state


def load_pickle(path: Path) -> Any:
    """Return the value that torch.save wrote to a file, with `PickledObject` for everything but tensors and plain data.

    Raises
    ------
    ForbiddenGlobalsError, MalformedPickleError
        The file holds anything but weights, is damaged, or is a whole module in the format from before torch 1.6.
    """
    with open(path, "rb") as file:
        head = file.read(len(ZIP_MAGIC))
        if not head:
            raise MalformedPickleError("it is empty")
        file.seek(0)
        scan = _scan_archive(file) if head == ZIP_MAGIC else _scan_legacy(file)
        if scan.has_sources:
            raise MalformedPickleError(
                "it is a whole module in the format from before torch 1.6",
                "load it with the versions that wrote it and save its state dict: torch.save(model.state_dict(), FILE)",
            )
        file.seek(0)
        try:
            with torch.serialization.safe_globals(_make_stubs(scan.names)):
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # torch's loader raises what its parts raise
            raise MalformedPickleError("it is broken off or damaged") from error


def _make_stubs(names: Iterable[GlobalName]) -> list[Any]:
    """What the globals of a file stand for, as pairs for `torch.serialization.safe_globals`."""
    plain = [(PLAIN_CLASSES[str(name)], str(name)) for name in names if str(name) in PLAIN_CLASSES]
    return plain + [
        (type(name.name, (PickledObject,), {"cls": name}), str(name))
        for name in names
        if str(name) not in PLAIN_CLASSES and (name.is_class or str(name) == "numpy.dtype")
    ]


def _scan_archive(file: IO[bytes]) -> PickleScan:
    try:
        with zipfile.ZipFile(file) as archive:
            sizes = _check_entries(archive)
            pickles = [name for name in sizes if name.endswith("/data.pkl") and name.count("/") == 1]
            if len(pickles) != 1:
                raise MalformedPickleError("its archive holds no data.pkl: torch.save did not write it")
            scan = PickleScan(io.BytesIO(archive.read(pickles[0])))
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        # what zipfile says of a file whose end is absent is that it is no archive
        what = "broken off" if "not a zip file" in str(error) else f"damaged ({error})"
        raise MalformedPickleError(f"its archive is {what}") from error
    if damaged is not None:
        raise MalformedPickleError(f"its archive is damaged (Bad CRC-32 for {damaged})")
    for storage in scan.storages.values():
        _check_size(storage, sizes.get(f"{pickles[0].removesuffix('data.pkl')}data/{storage.key}"))
    return scan


def _check_entries(archive: zipfile.ZipFile) -> dict[str, int]:
    """Sizes by name: entries stored as they are, each once, and no larger together than the file."""
    entries = archive.infolist()
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise MalformedPickleError(
            "it is a TorchScript program, of which the layers cannot be told; save the state dict instead"
        )
    packed = next((e for e in entries if e.compress_type != zipfile.ZIP_STORED or e.file_size != e.compress_size), None)
    if packed is not None:
        raise MalformedPickleError(f"{printable(packed.filename)} is compressed, which torch.save never does")
    archive.fp.seek(0, io.SEEK_END)
    names = {entry.filename.lower() for entry in entries}  # torch's reader does not tell cases apart
    if len(names) != len(entries) or sum(entry.file_size for entry in entries) > archive.fp.tell():
        raise MalformedPickleError("entries of its archive overlap")
    return {entry.filename: entry.file_size for entry in entries}


def _check_size(storage: Storage, size: int | None) -> None:
    """Torch before it checked this itself read as many bytes as the pickle claims."""
    if size is None:
        raise MalformedPickleError(f"the numbers of storage {storage.key} are absent")
    if size != storage.nbytes:
        raise MalformedPickleError(f"one of its storages holds {size} bytes for {storage.numel} numbers")


def _scan_legacy(file: IO[bytes]) -> PickleScan:
    """Five pickles (a magic number, a version, the writer's machine, the value, the storages' keys), then numbers."""
    if PickleScan(file).value != LEGACY_MAGIC or PickleScan(file).value != LEGACY_PROTOCOL:
        raise MalformedPickleError("torch.save did not write it")
    PickleScan(file)
    scan = PickleScan(file)
    PickleScan(file)
    start = file.tell()
    if start + sum(8 + storage.nbytes for storage in scan.storages.values()) > file.seek(0, io.SEEK_END):
        raise MalformedPickleError("it is broken off")
    return scan
