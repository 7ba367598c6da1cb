"""Count the multiply-accumulates of an ONNX model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto

WEIGHT_INPUTS = {
    "Conv": 1,
    "ConvTranspose": 1,
    "ConvInteger": 1,
    "QLinearConv": 3,
    "Gemm": 1,
    "MatMul": 1,
    "MatMulInteger": 1,
    "QLinearMatMul": 3,
}
"""Operators that are counted, with the position of their weights among their inputs."""

Shapes = Mapping[str, tuple[int, ...] | None]


def count_macs(model: ModelProto, pixels: str) -> int | None:
    """Count multiply-accumulates of convolutions and linear layers for one image, as `cost` does for torch networks.

    Products of two tensors that both depend on the image, as in attention, are not counted.

    Parameters
    ----------
    model : ModelProto
        The model; it is not changed.
    pixels : str
        Name of the input, whose first axis is the batch.

    Returns
    -------
    int or None
        The number; None if the shapes of the graph cannot be inferred.
    """
    from onnx import ModelProto, shape_inference

    single = ModelProto()
    single.CopyFrom(model)
    for port in single.graph.input:
        if port.name == pixels:
            port.type.tensor_type.shape.dim[0].dim_value = 1
    del single.graph.value_info[:]  # shapes of another batch size may be declared
    for port in single.graph.output:
        port.type.tensor_type.ClearField("shape")
    try:
        graph = shape_inference.infer_shapes(single, data_prop=True).graph
    except Exception:  # onnx raises errors of several kinds, and models over 2 GiB cannot be copied
        return None
    shapes = _shapes(graph)
    varying = {pixels}
    total = 0
    for node in graph.node:
        if varying.isdisjoint(node.input):
            continue
        varying.update(node.output)
        macs = _node_macs(node, shapes, varying)
        if macs is None:
            return None
        total += macs
    return total


def _shapes(graph: GraphProto) -> Shapes:
    """Return the shapes of all tensors; None for a shape that is not completely known."""
    shapes: dict[str, tuple[int, ...] | None] = {}
    for value in (*graph.input, *graph.value_info, *graph.output):
        tensor = value.type.tensor_type
        known = tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim)
        shapes[value.name] = tuple(dim.dim_value for dim in tensor.shape.dim) if known else None
    return shapes | {tensor.name: tuple(tensor.dims) for tensor in graph.initializer}


def _node_macs(node: NodeProto, shapes: Shapes, varying: set[str]) -> int | None:
    """Count the multiply-accumulates of a node whose output depends on the image; None if a shape is not known."""
    position = WEIGHT_INPUTS.get(node.op_type)
    if position is None or len(node.input) <= position:
        return 0
    weights, data = node.input[position], node.input[0]
    data_first = weights not in varying
    if not data_first:
        if data in varying:
            return 0
        weights, data = data, weights
    kernel, output, source = shapes.get(weights), shapes.get(node.output[0]), shapes.get(data)
    if not kernel or not output or not source:
        return None
    if node.op_type == "ConvTranspose":
        return math.prod(source) * math.prod(kernel[1:])
    if "Conv" in node.op_type:
        return math.prod(output) * math.prod(kernel[1:])
    if node.op_type == "Gemm":  # either matrix may be transposed
        return math.prod(output) * math.prod(kernel) // output[-1 if data_first else 0]
    return math.prod(output) * (source[-1] if data_first else kernel[-1])
