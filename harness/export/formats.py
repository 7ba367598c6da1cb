"""The formats that a run is exported to. Each is opened when it is asked for: their libraries are heavy."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np

from harness.utils.errors import InputError, unknown_name_error

if TYPE_CHECKING:
    from harness.export.network import ExportNetwork

Model = Callable[[np.ndarray], dict[str, np.ndarray]]
"""uint8 [N, H, W, 3] RGB crops -> its arrays by name, each float32 [N, ...]; `outputs` [N, C] and `embedding` [N, D].
H and W are the input size unless the format takes any."""

FORMATS = {name: f"harness.export.{name}" for name in ("onnx", "openvino", "litert", "executorch")}
"""Modules whose FORMAT is the format of that name."""


class Format(Protocol):
    """name: as users write it; precisions: those it has, float32 first; suffix: of its file, dot and all; packages:
    what one installs to run a file of it, its own first; runtime: the module that runs it; example: what example.py
    imports, and its lines that run `file` on `crop`.
    """

    name: str
    precisions: tuple[str, ...]
    suffix: str
    packages: tuple[str, ...]
    runtime: str
    example: tuple[str, str]

    def missing(self) -> str:
        """What to install for it to be written here, "" where it can be."""

    def any_size(self, network: ExportNetwork) -> bool:
        """Whether a file of that network takes crops of any size, which it resizes as Pillow does."""

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        """Write `folder`/model-`precision``suffix` (and parts of it beside it) and return its path.

        calibration: uint8 [M, S, S, 3] training crops at the input size, which set the ranges of int8 (M may be 0
        for other precisions). embedding: give the backbone's embedding too. InputError or BackboneError where the
        network cannot be written so; they say why.
        """

    def open(self, path: Path, threads: int = 1) -> Model:
        """The file as a function; any number of crops a call."""

    def parts(self, path: Path) -> tuple[Path, ...]:
        """The files that make up the one at `path`, itself first."""


def format_named(name: str) -> Format:
    """The format of that name; InputError for one that is not known."""
    if name not in FORMATS:
        raise unknown_name_error("format", name, FORMATS)
    return importlib.import_module(FORMATS[name]).FORMAT


def require_writer(name: str) -> Format:
    """As `format_named`; InputError that names what to install where the format cannot be written here."""
    found = format_named(name)
    todo = found.missing()
    if todo:
        raise InputError(f"the format {name} cannot be written here: {todo}")
    return found


def require_runtime(name: str) -> Format:
    """As `format_named`; InputError that names what to install where its files cannot be run here."""
    found = format_named(name)
    if not find_spec(found.runtime.split(".")[0]):
        raise InputError(f"files of the format {name} cannot be run here: pip install {found.packages[0]}")
    return found


def file_name(form: Format, precision: str) -> str:
    return f"model-{precision}{form.suffix}"
