"""Handwritten torch.save files with malicious content."""

from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pytest

import backbones
from backbones import BackboneError


class Call:
    """Unpickled, it becomes what calling `function` gives."""

    def __init__(self, function: Any, *args: Any) -> None:
        self.function, self.args = function, args

    def __reduce__(self):
        return self.function, self.args

    def __call__(self):
        """pickle asks that what is called can be."""


class Kept:
    """A storage: its persistent id, as torch writes it."""

    def __init__(self, kind: Any, key: str, numel: int) -> None:
        self.identity = ("storage", kind, key, "cpu", numel)


class _Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        return value.identity if isinstance(value, Kept) else None


def pickled(value: Any, protocol: int = 2) -> bytes:
    stream = io.BytesIO()
    _Pickler(stream, protocol).dump(value)
    return stream.getvalue()


def archive(
    path: Path,
    data: bytes,
    storages: dict[str, bytes] | None = None,
    order: bytes = b"little",
    compression: int = zipfile.ZIP_STORED,
) -> Path:
    """A zip archive as torch.save lays it out, around any pickle and any storages."""
    with zipfile.ZipFile(path, "w", compression) as file:
        file.writestr("archive/data.pkl", data)
        file.writestr("archive/byteorder", order)
        for key, numbers in (storages or {}).items():
            file.writestr(f"archive/data/{key}", numbers)
        file.writestr("archive/version", b"3\n")
    return path


def refused(path: Path, tmp_path: Path) -> str:
    """Why a file is refused; there is no entry afterwards."""
    with pytest.raises(BackboneError) as error:
        backbones.import_file(path, "mine", tmp_path / "entries")
    assert not (tmp_path / "entries").exists()
    return str(error.value)


def touch(marker: Path) -> str:
    """The shell command of a payload."""
    return f"touch '{marker}'"
