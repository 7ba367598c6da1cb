"""Load torch.save files with `torch.load(weights_only=True)`, with method-free stubs in place of layer classes."""

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
from backbones.regular_files import open_regular

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
    """Stub for a pickled object.

    Attributes
    ----------
    cls : GlobalName
        Name of the object's class.
    state : object
        The object's attributes as pickled.
    """

    cls: GlobalName
    state: Any = None

    def __new__(cls, *_: Any) -> PickledObject:
        """Create a stub, ignoring all arguments."""
        return object.__new__(cls)

    def __init__(self, *_: Any) -> None:
        """Ignore all arguments."""

    def __setstate__(self, state: Any) -> None:
        """Store the pickled attributes."""
        self.state = state


def load_pickle(path: Path) -> Any:
    """Load a file written by torch.save.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    object
        The value; objects that are neither tensors nor plain data are replaced by `PickledObject` stubs.

    Raises
    ------
    ForbiddenGlobalsError
        If the file contains more than weights.
    MalformedPickleError
        If the file is damaged or of an unsupported format, such as a whole module in the format used before torch 1.6.
    OSError
        If the file cannot be read.
    """
    with open_regular(path) as file:
        head = file.read(len(ZIP_MAGIC))
        if not head:
            raise MalformedPickleError("it is empty")
        file.seek(0)
        scan = _scan_archive(file) if head == ZIP_MAGIC else _scan_legacy(file)
        if scan.has_sources:
            raise MalformedPickleError(
                "it is a whole module in the format used before torch 1.6",
                "load it with the versions that wrote it and save its state dict: torch.save(model.state_dict(), FILE)",
            )
        file.seek(0)
        try:
            with torch.serialization.safe_globals(_make_stubs(scan.names)):
                return torch.load(file, map_location="cpu", weights_only=True)
        except Exception as error:  # damaged files raise many types of exceptions
            raise MalformedPickleError("it is truncated or damaged") from error


def _make_stubs(names: Iterable[GlobalName]) -> list[Any]:
    """Return the replacements of globals as pairs for `torch.serialization.safe_globals`."""
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
                raise MalformedPickleError(
                    "its archive does not hold one data.pkl, so it was not written by torch.save"
                )
            scan = PickleScan(io.BytesIO(archive.read(pickles[0])))
            damaged = archive.testzip()
    except (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError) as error:
        # zipfile reports a truncated archive as "not a zip file"
        defect = "truncated" if "not a zip file" in str(error) else f"damaged ({error})"
        raise MalformedPickleError(f"its archive is {defect}") from error
    if damaged is not None:
        raise MalformedPickleError(f"its archive is damaged (Bad CRC-32 for {damaged})")
    for storage in scan.storages.values():
        _check_size(storage, sizes.get(f"{pickles[0].removesuffix('data.pkl')}data/{storage.key}"))
    return scan


def _check_entries(archive: zipfile.ZipFile) -> dict[str, int]:
    """Check that entries are uncompressed, unique and together not larger than the file; return their sizes by name."""
    entries = archive.infolist()
    if any(entry.filename.endswith("/constants.pkl") for entry in entries):
        raise MalformedPickleError(
            "it is a TorchScript program, whose layers cannot be read; save the state dict instead"
        )
    packed = next((e for e in entries if e.compress_type != zipfile.ZIP_STORED or e.file_size != e.compress_size), None)
    if packed is not None:
        raise MalformedPickleError(f"{printable(packed.filename)} is compressed, which torch.save never does")
    assert archive.fp is not None  # the archive is open
    archive.fp.seek(0, io.SEEK_END)
    names = {entry.filename.lower() for entry in entries}  # torch's reader ignores case
    if len(names) != len(entries) or sum(entry.file_size for entry in entries) > archive.fp.tell():
        raise MalformedPickleError("entries of its archive have the same name, or overlap")
    return {entry.filename: entry.file_size for entry in entries}


def _check_size(storage: Storage, size: int | None) -> None:
    """Check the size of a storage, because older versions of torch read as many bytes as the pickle claims."""
    if size is None:
        raise MalformedPickleError(f"the data of storage {storage.key} is missing")
    if size != storage.nbytes:
        raise MalformedPickleError(f"one of its storages has {size} bytes for {storage.numel} elements")


def _scan_legacy(file: IO[bytes]) -> PickleScan:
    """Scan a file of the legacy format: five pickles (magic number, version, machine, value, keys), then the data."""
    if PickleScan(file).value != LEGACY_MAGIC or PickleScan(file).value != LEGACY_PROTOCOL:
        raise MalformedPickleError("it was not written by torch.save")
    PickleScan(file)
    scan = PickleScan(file)
    PickleScan(file)
    start = file.tell()
    if start + sum(8 + storage.nbytes for storage in scan.storages.values()) > file.seek(0, io.SEEK_END):
        raise MalformedPickleError("it is truncated")
    return scan
