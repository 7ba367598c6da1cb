"""Remove information about the exporting machine from ONNX models."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import FunctionProto, GraphProto, ModelProto, NodeProto


def strip_metadata(model: ModelProto) -> ModelProto:
    """Remove the metadata and comments of all graphs, functions, nodes and tensors in place.

    torch stores the stack trace of each operation in them. The paths of source files in these traces reveal where the
    project is installed, and make the files of equal networks differ. The metadata of the model itself is kept.

    Parameters
    ----------
    model : ModelProto
        The model.

    Returns
    -------
    ModelProto
        The same object.
    """
    _strip_graph(model.graph)
    for function in model.functions:
        _strip_function(function)
    return model


def _strip_graph(graph: GraphProto) -> None:
    for part in (graph, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        _clear(part)
    for sparse in graph.sparse_initializer:
        _clear(sparse.values)
        _clear(sparse.indices)
    _strip_nodes(graph.node)


def _strip_function(function: FunctionProto) -> None:
    for part in (function, *function.value_info):
        _clear(part)
    _strip_nodes(function.node)


def _strip_nodes(nodes: Iterable[NodeProto]) -> None:
    for node in nodes:
        _clear(node)
        for attribute in node.attribute:
            attribute.ClearField("doc_string")
            for graph in (attribute.g, *attribute.graphs) if attribute.HasField("g") else attribute.graphs:
                _strip_graph(graph)


def _clear(part: object) -> None:
    for name in ("metadata_props", "doc_string"):
        part.ClearField(name)  # type: ignore[attr-defined]  # all protobuf messages have this method
