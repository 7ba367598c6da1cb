"""Nodes and weights of an ONNX file, read without running it or opening any other file."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.errors import BackboneError, printable

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import NodeProto, TensorProto

WEIGHT_TYPES = {1, 2, 3, 10, 11, 16, *range(17, 25)}
"""Element types of tensors that count as parameters: floating point and 8-bit or smaller quantized ones."""
MODEL_FIELDS = bytes([0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42])
"""Keys of the fields that exporters write behind the version: producer, domain, documentation, graph, operators."""
MAX_NESTING = 8
MAX_FILE_BYTES = 2**31
"""A protocol buffer is never larger."""


@dataclass
class OnnxGraph:
    """parameters: values of all weight tensors; external: files that hold tensors of this one."""

    parameters: int = 0
    external: list[str] = field(default_factory=list)
    nodes: list[NodeProto] = field(default_factory=list)

    def require_single_file(self, path: Path) -> None:
        """BackboneError when tensors lie in other files: a hash of this one would not vouch for them."""
        if self.external:
            others = ", ".join(printable(name) or "(unnamed)" for name in self.external[:3])
            code = f'import onnx; onnx.save(onnx.load({json.dumps(str(path))}), "whole.onnx")'
            raise BackboneError(
                f"{path} is not whole: tensors of it lie in {others}",
                f"put all into one file: torch.onnx.export(..., external_data=False), or python -c {shlex.quote(code)}",
            )

    def find_classifier_input(self, scores: str) -> str | None:
        """The tensor that the last linear layer before the output `scores` works on; None when there is none."""
        makers = {name: node for node in self.nodes for name in node.output}
        node = makers.get(scores)
        for _ in range(MAX_NESTING):
            if node is None:
                return None
            if node.op_type in ("Gemm", "MatMul") and node.input:
                return node.input[0]
            node = next((makers[name] for name in node.input if name in makers), None)
        return None


def is_onnx(path: Path) -> bool:
    """Whether a file begins as ONNX models do (also where the rest of it is cut off): a version, then another field."""
    try:
        with open(path, "rb") as file:
            head = file.read(5)
    except OSError:
        return False
    # safetensors may begin with the same three bytes of a length, and then has zeros
    return len(head) == 5 and head[0] == 8 and 0 < head[1] < 128 and head[2] in MODEL_FIELDS and head[3:] != b"\0\0"


def read_graph(path: Path) -> OnnxGraph:
    """The graph of an ONNX file; BackboneError when it is absent, cut off or something else."""
    import onnx
    from google.protobuf.message import DecodeError

    graph = OnnxGraph()
    try:
        if path.stat().st_size >= MAX_FILE_BYTES:
            raise BackboneError(f"{path} is larger than an ONNX file can be (2 GiB)")
        model = onnx.load(path, format="protobuf", load_external_data=False)
        for part in (model.graph, *model.functions):
            for message in _iter_messages(part, MAX_NESTING):
                if isinstance(message, onnx.NodeProto):
                    graph.nodes.append(message)
                elif isinstance(message, onnx.TensorProto):
                    _add_tensor(graph, message)
    except OSError as error:
        raise BackboneError(f"cannot read {path}: {error.strerror or error}") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise BackboneError(
            f"{path} is not a whole ONNX file ({printable(str(error))})", "export or download it again"
        ) from error
    if not graph.nodes:
        raise BackboneError(f"{path} is not an ONNX model: it holds no graph")
    return graph


def _iter_messages(message: Message, depth: int) -> Iterator[Message]:
    """All messages within one, tensors closed; depth: how many graphs may be nested (the bodies of If and Loop)."""
    from google.protobuf.message import DecodeError, Message
    from onnx import GraphProto, TensorProto

    if not depth:
        raise DecodeError("its graphs are nested too deep")
    for descriptor, value in message.ListFields():
        if descriptor.message_type is None:
            continue
        for child in [value] if isinstance(value, Message) else value:
            yield child
            if not isinstance(child, TensorProto):
                yield from _iter_messages(child, depth - isinstance(child, GraphProto))


def _add_tensor(graph: OnnxGraph, tensor: TensorProto) -> None:
    if tensor.data_location == tensor.EXTERNAL or tensor.external_data:
        locations = [entry.value for entry in tensor.external_data if entry.key == "location"]
        graph.external += [name for name in locations[-1:] or [""] if name not in graph.external]
    if tensor.data_type in WEIGHT_TYPES:
        graph.parameters += math.prod(tensor.dims)
