"""Read the graph and the weights of TensorFlow.js graph models: `model.json` and the binary files that it names."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backbones.errors import BackboneError, printable
from backbones.importing.faceapi_graph import EMBEDDING, SCORES, faceapi_nodes, is_faceapi
from backbones.regular_files import open_regular, read_regular

MAX_JSON_BYTES = 2**26
MAX_WEIGHT_BYTES = 2**31
DTYPES = {"float32": np.float32, "int32": np.int32, "bool": np.bool_, "uint8": np.uint8}
QUANTIZED_DTYPES = {"uint8": np.uint8, "uint16": np.uint16, "float16": np.float16}
CONVERT_HINT = "convert it to ONNX, for example with tf2onnx, and import that file"


@dataclass(frozen=True)
class TfjsModel:
    """Content of a TensorFlow.js graph model.

    Attributes
    ----------
    nodes : tuple of mapping
        The nodes, with `name`, `op`, `input` and `attr` as in TensorFlow's GraphDef.
    weights : mapping of str to ndarray
        Values of the constant nodes by name.
    outputs : tuple of str
        Names of the nodes that the signature lists as outputs; empty if there is no signature.
    sha256 : str
        SHA-256 hex digest of the JSON file followed by its binary files, in the order in which it names them.
    """

    nodes: tuple[Mapping[str, Any], ...]
    weights: Mapping[str, np.ndarray]
    outputs: tuple[str, ...]
    sha256: str


def is_tfjs(path: Path) -> bool:
    """Return whether a file starts like JSON, the format of TensorFlow.js model descriptions."""
    try:
        with open_regular(path) as file:
            return file.read(64).lstrip()[:1] in (b"{", b"[")
    except OSError:
        return False


def read_tfjs(path: Path) -> TfjsModel:
    """Read a TensorFlow.js graph model, or the weights of one of face-api's networks, whose graph is known.

    Parameters
    ----------
    path : Path
        The JSON file, a model or a weights manifest; the binary files that it names must be in the same folder.

    Returns
    -------
    TfjsModel
        The model, with weights as float32, int32, bool or uint8.

    Raises
    ------
    BackboneError
        If a file is missing, damaged or too large, or its graph is neither in it nor known.
    """
    try:
        data = read_regular(path, limit=MAX_JSON_BYTES)
        content = json.loads(data.decode())
    except OSError as error:
        raise BackboneError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        raise BackboneError(f"{path} is not valid JSON ({printable(str(error))})", "download it again") from error
    try:
        return _parse(content, path, hashlib.sha256(data))
    except BackboneError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise BackboneError(f"{path} is damaged ({printable(str(error))})", "download it again") from error


def _parse(content: Any, path: Path, digest: hashlib._Hash) -> TfjsModel:
    """Return the model; `digest`, which has hashed the JSON file, is updated with the binary files."""
    if isinstance(content, list) and content and isinstance(content[0], dict) and "weights" in content[0]:
        weights = _read_weights(path, content, digest)
        if not is_faceapi(weights):
            raise BackboneError(f"{path} lists weights without the graph that they belong to", CONVERT_HINT)
        return TfjsModel(faceapi_nodes(weights), weights, (EMBEDDING, SCORES), digest.hexdigest())
    topology = content.get("modelTopology") if isinstance(content, dict) else None
    if not isinstance(topology, dict) or "weightsManifest" not in content:
        raise BackboneError(f"{path} is not a TensorFlow.js model", "give its model.json")
    if content.get("format") == "layers-model" or "node" not in topology:
        raise BackboneError(
            f"{path} is a TensorFlow.js layers model, and only graph models are supported",
            "convert it: tensorflowjs_converter --input_format tfjs_layers_model --output_format tfjs_graph_model",
        )
    nodes = tuple(topology["node"])
    if not all(isinstance(node["name"], str) and isinstance(node["op"], str) for node in nodes):
        raise ValueError("a node has no name or operator")
    weights = _read_weights(path, content["weightsManifest"], digest)
    return TfjsModel(nodes, weights, _signature_outputs(content), digest.hexdigest())


def _signature_outputs(content: Mapping[str, Any]) -> tuple[str, ...]:
    signature = content.get("signature") or (content.get("userDefinedMetadata") or {}).get("signature") or {}
    outputs = (signature.get("outputs") or {}).items()
    return tuple(str(port.get("name", key)).partition(":")[0] for key, port in outputs)


def _read_weights(path: Path, manifest: list[Mapping[str, Any]], digest: hashlib._Hash) -> dict[str, np.ndarray]:
    weights: dict[str, np.ndarray] = {}
    limit = MAX_WEIGHT_BYTES
    for group in manifest:
        data = b"".join(_read_shards(path, group["paths"], limit))
        digest.update(data)
        limit -= len(data)
        offset = 0
        for entry in group["weights"]:
            array, offset = _decode(entry, data, offset, path)
            weights[str(entry["name"])] = array
    return weights


def _read_shards(path: Path, names: list[str], limit: int) -> Iterator[bytes]:
    """Yield the content of binary files; a name may not lead out of the folder of the JSON file."""
    for name in names:
        if name in ("", ".", "..") or any(mark in name for mark in "/\\\0"):
            raise BackboneError(f"{path} names a file of weights outside its folder: {printable(name)}")
        shard = path.parent / name
        try:
            content = read_regular(shard, limit=limit)
        except OSError as error:
            raise BackboneError(
                f"cannot read {printable(str(shard))}, which {path.name} names: {error.strerror or error}",
                "keep the .bin files of the model in the folder of its JSON file",
            ) from error
        limit -= len(content)
        yield content


def _decode(entry: Mapping[str, Any], data: bytes, offset: int, path: Path) -> tuple[np.ndarray, int]:
    """Return a tensor and the offset of the next one, see the weights manifest of TensorFlow.js."""
    name, dtype, quantization = printable(str(entry["name"])), entry["dtype"], entry.get("quantization") or {}
    shape = tuple(entry["shape"])
    stored = (QUANTIZED_DTYPES if quantization else DTYPES).get(quantization.get("dtype", dtype))
    if stored is None or dtype not in DTYPES:
        shown = printable(f"{dtype}" + (f" stored as {quantization.get('dtype')}" if quantization else ""))
        raise BackboneError(f"{path}: the weights '{name}' are {shown}, which is not supported", CONVERT_HINT)
    if not all(type(length) is int and length >= 0 for length in shape):
        raise ValueError(f"the shape of '{name}' is {shape}")
    little_endian = np.dtype(stored).newbyteorder("<")
    count = math.prod(shape)
    end = offset + count * little_endian.itemsize
    if end > len(data):
        raise BackboneError(f"{path}: its files end before the weights '{name}'", "download them again")
    values = np.frombuffer(data, little_endian, count, offset).reshape(shape)
    if quantization and "scale" in quantization:
        scaled = values.astype(np.float64) * quantization["scale"] + quantization["min"]
        values = np.rint(scaled) if dtype == "int32" else scaled
    return values.astype(DTYPES[dtype]), end
