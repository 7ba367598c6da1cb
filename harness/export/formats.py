"""Export formats. The module of a format is imported only when the format is used, because its library is heavy."""

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
"""Function that maps N uint8 RGB crops, shape (N, H, W, 3), to float32 arrays by name. `outputs` has one column for
each output of the task, `embedding` one for each feature. H and W are the input size unless the format takes any size.
"""

FORMATS = {name: f"harness.export.{name}" for name in ("onnx", "openvino", "litert", "executorch")}
"""Modules of the formats, by name of the format. The variable `FORMAT` of a module holds the format object."""


class Format(Protocol):
    """Interface of an export format.

    Attributes
    ----------
    name : str
        Value of `--format`.
    precisions : tuple of str
        Supported precisions, float32 first.
    suffix : str
        File extension, with the dot.
    packages : tuple of str
        Packages that are needed to run a file, the package of the format first.
    runtime : str
        Module that runs a file.
    example : tuple of str
        Two parts of the script `example.py` that is written with each export: the modules that it imports, and the
        lines that run the model file `file` on the array `crop`.
    """

    name: str
    precisions: tuple[str, ...]
    suffix: str
    packages: tuple[str, ...]
    runtime: str
    example: tuple[str, str]

    def missing(self) -> str:
        """Return what to install so that the format can be written, or "" if nothing is missing."""

    def any_size(self, network: ExportNetwork) -> bool:
        """Return whether an exported file of the network takes crops of any size and resizes them as Pillow does."""

    def write(
        self, network: ExportNetwork, folder: Path, precision: str, calibration: np.ndarray, embedding: bool = False
    ) -> Path:
        """Write a model file and return its path.

        Parameters
        ----------
        network : ExportNetwork
        folder : Path
            Folder of the file. The function `file_name` gives its name. If the model has further files, they are in the
            same folder.
        precision : str
        calibration : ndarray of shape (M, S, S, 3)
            uint8 training crops that calibrate int8; S is the input size. M may be 0 for other precisions.
        embedding : bool
            Whether the file returns the backbone's embedding too.

        Raises
        ------
        InputError, BackboneError
            If the format cannot represent the network.
        FramelightError
            If the conversion fails.
        """

    def open(self, path: Path, threads: int = 1) -> Model:
        """Open a model file as a function that takes any number of crops."""

    def parts(self, path: Path) -> tuple[Path, ...]:
        """Return the files that the export at `path` consists of, `path` first."""


def format_named(name: str) -> Format:
    """Get a format by name; raise InputError if it is unknown."""
    if name not in FORMATS:
        raise unknown_name_error("format", name, FORMATS)
    return importlib.import_module(FORMATS[name]).FORMAT


def require_writer(name: str) -> Format:
    """Get a format that can be written here; raise InputError if it is unknown or a package is missing."""
    form = format_named(name)
    install = form.missing()
    if install:
        raise InputError(f"format {name} cannot be written here because packages are missing: {install}")
    return form


def require_runtime(name: str) -> Format:
    """Get a format whose files can be run here; raise InputError if it is unknown or a package is missing."""
    form = format_named(name)
    if not find_spec(form.runtime.split(".")[0]):
        raise InputError(
            f"files of format {name} cannot be run here because a package is missing: pip install {form.packages[0]}"
        )
    return form


def file_name(form: Format, precision: str) -> str:
    """Name the model file of a format and precision."""
    return f"model-{precision}{form.suffix}"
