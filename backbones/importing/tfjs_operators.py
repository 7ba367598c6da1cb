"""Convert the operators of TensorFlow graphs to ONNX: element-wise operators, reductions and changes of the shape."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backbones.importing.tfjs_graph import TO_NCHW, GraphBuilder, Node, require
from backbones.importing.tfjs_layers import LAYERS, UNARY, activate

BINARY = {
    "Add": "Add",
    "AddV2": "Add",
    "BiasAdd": "Add",
    "Sub": "Sub",
    "Mul": "Mul",
    "RealDiv": "Div",
    "Maximum": "Max",
    "Minimum": "Min",
    "Pow": "Pow",
}


def _unary(graph: GraphBuilder, node: Node) -> None:
    source = node.inputs[0]
    activate(graph, node.operator, source if source in graph.nchw else graph.tensor(source), node.name, node)
    if source in graph.nchw:
        graph.nchw.add(node.name)


def _binary(graph: GraphBuilder, node: Node) -> None:
    """Convert an element-wise operator, in layout NCHW if every input is constant or a feature map in that layout."""
    inputs = node.inputs[:2]
    is_map = any(name in graph.nchw for name in inputs) and all(
        name in graph.nchw or name in graph.constants for name in inputs
    )
    converted = [graph.feature_map(name) if is_map else graph.tensor(name) for name in inputs]
    graph.emit(BINARY[node.operator], converted, node.name)
    if is_map:
        graph.nchw.add(node.name)


def _reduce(graph: GraphBuilder, node: Node) -> None:
    axes = sorted(int(axis) % 4 for axis in np.atleast_1d(graph.constant(node.inputs[1], "the axes")))
    keep = node.flag("keep_dims")
    if node.inputs[0] in graph.nchw and axes == [1, 2]:
        _emit_reduction(graph, node, node.inputs[0], [2, 3])
        if keep:
            graph.nchw.add(node.name)
        return
    axes = np.atleast_1d(graph.constant(node.inputs[1], "the axes")).tolist()
    _emit_reduction(graph, node, graph.tensor(node.inputs[0]), axes)


def _emit_reduction(graph: GraphBuilder, node: Node, source: str, axes: list[int]) -> None:
    keep = int(node.flag("keep_dims"))
    if node.operator == "Sum":  # the axes of ReduceSum are an input since opset 13, those of the others since 18
        inputs = [source, graph.weights(f"{node.name}/axes", np.array(axes, np.int64))]
        graph.emit("ReduceSum", inputs, node.name, keepdims=keep)
        return
    graph.emit(f"Reduce{node.operator}", [source], node.name, axes=axes, keepdims=keep)


def _pad(graph: GraphBuilder, node: Node) -> None:
    pads = graph.constant(node.inputs[1], "the padding")
    is_map = node.inputs[0] in graph.nchw or len(pads) == 4
    source = graph.feature_map(node.inputs[0]) if is_map else graph.tensor(node.inputs[0])
    ordered = pads[TO_NCHW] if is_map else pads
    inputs = [source, graph.weights(f"{node.name}/pads", ordered.T.reshape(-1).astype(np.int64))]
    if node.operator == "PadV2":
        inputs.append(graph.weights(node.inputs[2], graph.constant(node.inputs[2], "the padding value")))
    mode = "reflect" if node.operator == "MirrorPad" and node.text("mode") == "REFLECT" else "constant"
    require(node.operator != "MirrorPad" or mode == "reflect", f"has mode {node.text('mode')}", node)
    graph.emit("Pad", inputs, node.name, mode=mode)
    if is_map:
        graph.nchw.add(node.name)


def _reshape(graph: GraphBuilder, node: Node) -> None:
    shape = graph.constant(node.inputs[1], "the shape").astype(np.int64)
    graph.emit("Reshape", [graph.tensor(node.inputs[0]), graph.weights(f"{node.name}/shape", shape)], node.name)


def _skip_dimension(graph: GraphBuilder, node: Node) -> None:
    graph.dimensions.add(node.name)


def _stack(graph: GraphBuilder, node: Node) -> None:
    """Convert a shape that is stacked from single lengths to a constant; -1 stands for the only computed length."""
    lengths = [-1 if name in graph.dimensions else int(graph.constant(name, "the length")) for name in node.inputs]
    require(lengths.count(-1) <= 1, "stacks several computed lengths", node)
    graph.constants[node.name] = np.array(lengths, np.int32)


def _squeeze(graph: GraphBuilder, node: Node) -> None:
    axes = node.integers("squeeze_dims") or node.integers("axis")
    require(bool(axes), "has no axes", node)
    inputs = [graph.tensor(node.inputs[0]), graph.weights(f"{node.name}/axes", np.array(axes, np.int64))]
    graph.emit("Squeeze", inputs, node.name)


def _expand(graph: GraphBuilder, node: Node) -> None:
    axes = np.atleast_1d(graph.constant(node.inputs[1], "the axis")).astype(np.int64)
    graph.emit("Unsqueeze", [graph.tensor(node.inputs[0]), graph.weights(f"{node.name}/axes", axes)], node.name)


def _concatenate(graph: GraphBuilder, node: Node) -> None:
    axis = int(graph.constant(node.inputs[-1], "the axis"))
    names = node.inputs[:-1]
    if all(name in graph.nchw for name in names):
        graph.emit("Concat", names, node.name, axis=TO_NCHW.index(axis % 4))
        graph.nchw.add(node.name)
        return
    graph.emit("Concat", [graph.tensor(name) for name in names], node.name, axis=axis)


def _transpose(graph: GraphBuilder, node: Node) -> None:
    order = graph.constant(node.inputs[1], "the order of the axes").tolist()
    graph.emit("Transpose", [graph.tensor(node.inputs[0])], node.name, perm=order)


def _softmax(graph: GraphBuilder, node: Node) -> None:
    graph.emit("Softmax", [graph.tensor(node.inputs[0])], node.name, axis=-1)


CONVERTERS: dict[str, Callable[[GraphBuilder, Node], None]] = {
    **LAYERS,
    **dict.fromkeys((*UNARY, "Relu6", "LeakyRelu"), _unary),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(("Mean", "Max", "Min", "Sum"), _reduce),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("Shape", "StridedSlice"), _skip_dimension),
    "Softmax": _softmax,
    "Pack": _stack,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "ExpandDims": _expand,
    "ConcatV2": _concatenate,
    "Transpose": _transpose,
}
"""Converters of all supported operators by name."""
