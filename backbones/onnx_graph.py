"""Read nodes and weights of an ONNX file without running it or opening any other file."""

from __future__ import annotations

import json
import math
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from backbones.errors import BackboneError, printable
from backbones.regular_files import open_regular

if TYPE_CHECKING:
    from google.protobuf.message import Message
    from onnx import ModelProto, NodeProto, TensorProto

WEIGHT_TYPES = {1, 2, 3, 10, 11, 16, *range(17, 25)}
"""Element types of tensors that are counted as parameters: floating point, and integers of 8 bits or less."""
MODEL_FIELDS = bytes([0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42])
"""Protobuf keys of the fields that may follow the version of the format: producer name and version, domain, model
version, documentation, graph and opsets."""
MAX_NESTING = 8
CONTROL_FLOW = ("Loop", "If", "Scan")
"""Operators with graphs as attributes."""
MAX_CLASSIFIER_NODES = 12
"""Largest number of nodes from the scores back to the layer that computes them."""
MAX_FILE_BYTES = 2**31
"""Size limit of a protocol buffer."""


@dataclass
class OnnxGraph:
    """Content of an ONNX file.

    Attributes
    ----------
    parameters : int
        Number of elements of all weight tensors.
    external : list of str
        Other files in which tensors of this file are stored.
    nodes : list of NodeProto
        All nodes, including those of nested graphs and functions.
    """

    parameters: int = 0
    external: list[str] = field(default_factory=list)
    nodes: list[NodeProto] = field(default_factory=list)

    def require_single_file(self, path: Path) -> None:
        """Raise BackboneError if tensors are stored in other files, which a hash of this file would not cover."""
        if self.external:
            files = ", ".join(printable(name) or "(unnamed)" for name in self.external[:3])
            code = f'import onnx; onnx.save(onnx.load({json.dumps(str(path))}), "whole.onnx")'
            raise BackboneError(
                f"{path} is incomplete: some of its tensors are stored in {files}",
                "save everything to one file: torch.onnx.export(..., external_data=False), "
                f"or python -c {shlex.quote(code)}",
            )

    def require_no_loops(self, path: Path) -> None:
        """Raise BackboneError if the graph has a loop, because its number of iterations is not limited."""
        if any(node.op_type == "Loop" for node in self.nodes):
            raise BackboneError(
                f"{path} contains a Loop, whose number of iterations is not limited",
                "export the network without loops over data, as torch.onnx.export(..., dynamo=True) does",
            )

    def require_no_control_flow(self, path: Path) -> None:
        """Raise BackboneError if the graph has branches or loops, whose cost is neither known nor limited."""
        found = sorted({node.op_type for node in self.nodes}.intersection(CONTROL_FLOW))
        if found:
            raise BackboneError(
                f"{path} contains control flow ({', '.join(found)}), which is not supported",
                "export the network without branches and loops over data, as torch.onnx.export(..., dynamo=True) does",
            )

    def find_classifier_input(self, scores: str) -> str | None:
        """Find the input of the last linear layer or convolution before an output.

        Parameters
        ----------
        scores : str
            Name of the output.

        Returns
        -------
        str or None
            Name of the tensor; None if there is no such layer among the last nodes.
        """
        producers = {name: node for node in self.nodes for name in node.output}
        node = producers.get(scores)
        for _ in range(MAX_CLASSIFIER_NODES):
            if node is None:
                return None
            if node.op_type in ("Gemm", "MatMul", "Conv") and node.input:
                return str(node.input[0])
            node = next((producers[name] for name in node.input if name in producers), None)
        return None


def is_onnx(path: Path) -> bool:
    """Return whether a file, possibly truncated, starts like an ONNX model: with a version and another field."""
    try:
        with open_regular(path) as file:
            head = file.read(5)
    except OSError:
        return False
    # a safetensors file starts with a length, which may have the same first three bytes, but then has zeros
    return len(head) == 5 and head[0] == 8 and 0 < head[1] < 128 and head[2] in MODEL_FIELDS and head[3:] != b"\0\0"


def read_graph(path: Path) -> OnnxGraph:
    """Read the graph of an ONNX file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    OnnxGraph
        The nodes, the number of parameters and the names of external files.

    Raises
    ------
    BackboneError
        If the file is missing, truncated, too large or not an ONNX model.
    """
    return read_model(path)[1]


def read_model(path: Path) -> tuple[ModelProto, OnnxGraph]:
    """Read the model in an ONNX file and its graph, see `read_graph`."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        if path.stat().st_size >= MAX_FILE_BYTES:
            raise BackboneError(f"{path} exceeds the size limit of ONNX files (2 GiB)")
        model = onnx.load(path, format="protobuf", load_external_data=False)
        graph = graph_of_model(model)
    except OSError as error:
        raise BackboneError(f"cannot read {path}: {error.strerror or error}") from error
    except (DecodeError, UnicodeDecodeError) as error:
        raise BackboneError(
            f"{path} is not a complete ONNX file ({printable(str(error))})", "export or download it again"
        ) from error
    if not graph.nodes:
        raise BackboneError(f"{path} is not an ONNX model: it contains no graph")
    return model, graph


def graph_of_model(model: ModelProto) -> OnnxGraph:
    """Collect the nodes, weights and external files of a model, those of nested graphs and functions included.

    Raises
    ------
    google.protobuf.message.DecodeError
        If graphs are nested too deeply.
    """
    from onnx import NodeProto, TensorProto

    graph = OnnxGraph()
    for part in (model.graph, *model.functions):
        for message in _iter_messages(part, MAX_NESTING):
            if isinstance(message, NodeProto):
                graph.nodes.append(message)
            elif isinstance(message, TensorProto):
                _add_tensor(graph, message)
    return graph


def _iter_messages(message: Message, depth: int) -> Iterator[Message]:
    """Yield all messages nested in a message; raise DecodeError for `depth` nested graphs (bodies of If or Loop)."""
    from google.protobuf.message import DecodeError, Message
    from onnx import GraphProto, TensorProto

    if not depth:
        raise DecodeError("its graphs are nested too deeply")
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


def prune_to_outputs(model: ModelProto, outputs: list[str]) -> None:
    """Reduce a graph to these outputs, in this order, and the nodes and tensors that they depend on."""
    ports = {port.name: port for port in model.graph.output}
    selected = [ports[name] for name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(selected)
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            nodes.append(node)
            needed.update(_inputs_of(node))
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    unused = {tensor.name for tensor in model.graph.initializer}.difference(needed)
    for values in (model.graph.initializer, model.graph.input):  # old files list their tensors among the inputs
        kept = [value for value in values if value.name not in unused]
        del values[:]
        values.extend(kept)


def _inputs_of(node: NodeProto) -> set[str]:
    """Collect the inputs of a node and of its subgraphs."""
    subgraphs = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return set(node.input).union(*(_inputs_of(inner) for graph in subgraphs for inner in graph.node))
