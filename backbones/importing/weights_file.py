"""Read the tensors of a weights file, whose format is detected from its content, not from its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from backbones.errors import BackboneError
from backbones.importing.torch_files import WeightsFile, read_torch_file
from backbones.regular_files import open_regular

PICKLE_FIRST_BYTES = tuple(b"\x80c(]}")
MAX_NAME_LENGTH = 300


def read_weights_file(path: Path) -> tuple[WeightsFile, str]:
    """Read a file written by torch.save or safetensors.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    weights : WeightsFile
        Its content.
    file_format : str
        Description of its format.

    Raises
    ------
    BackboneError
        If it cannot be read or has another format.
    """
    try:
        with open_regular(path) as file:
            head = file.read(9)
        size = path.stat().st_size
    except OSError as error:
        raise BackboneError(f"{path} cannot be read: {error.strerror or error}") from error
    if head[:2] == b"PK" or (head[:1] and head[0] in PICKLE_FIRST_BYTES):
        weights = read_torch_file(path)
        file_format = {
            "module": f"torch module {weights.tree.kind if weights.tree else ''}",
            "state": "torch state dict",
            "lightning": "Lightning checkpoint",
        }[weights.kind]
        return weights, file_format
    if head[8:] == b"{" and int.from_bytes(head[:8], "little") < 100_000_000:
        return WeightsFile("state", _read_safetensors(path)), "safetensors"
    shown = "a Keras (HDF5) file" if head[:4] == b"\x89HDF" else "empty" if not size else "in an unknown format"
    raise BackboneError(
        f"{path} is {shown}",
        "supported are files written by torch.save, safetensors, ONNX models and model.json of TensorFlow.js; "
        "tf2onnx converts Keras and TFLite models to ONNX",
    )


def _read_safetensors(path: Path) -> Mapping[str, Tensor]:
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise BackboneError(f"{path} cannot be read as safetensors: {error}", "download the file again") from error


def require_tensors(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise BackboneError if a file has no tensors, or tensors whose names are too long or not printable."""
    if not state:
        raise BackboneError(f"{path} contains no tensors", "download the file again")
    if not all(name.isprintable() and len(name) < MAX_NAME_LENGTH for name in state):
        raise BackboneError(f"{path} has tensors with invalid names", "download the file again")


def require_finite(state: Mapping[str, Tensor], path: Path) -> None:
    """Raise BackboneError if tensors have values that are not finite."""
    names = [name for name, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    if names:
        count = "1 tensor" if len(names) == 1 else f"{len(names)} tensors"
        raise BackboneError(
            f"{path} has non-finite values in {count}: {', '.join(names[:3])}",
            "download the file again, or train the network again",
        )
