"""Convert the layers of TensorFlow graphs to ONNX: convolutions, pooling, linear layers and activation functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backbones.errors import printable
from backbones.importing.tfjs_graph import GraphBuilder, Node, UnsupportedOperatorError, require

UNARY = {
    "Identity": "Identity",
    "StopGradient": "Identity",
    "Relu": "Relu",
    "Elu": "Elu",
    "Selu": "Selu",
    "Sigmoid": "Sigmoid",
    "Tanh": "Tanh",
    "Softplus": "Softplus",
    "Exp": "Exp",
    "Sqrt": "Sqrt",
    "Neg": "Neg",
    "Abs": "Abs",
}
ACTIVATIONS = ("Relu", "Relu6", "Elu", "LeakyRelu", "Prelu", "Sigmoid", "Tanh")
"""Activation functions that TensorFlow.js fuses with convolutions and linear layers."""


def activate(graph: GraphBuilder, kind: str, source: str, output: str, node: Node) -> str:
    """Add an activation function, which may be fused with another operator in the TensorFlow graph."""
    if kind == "Relu6":
        ends = [graph.weights(f"framelight/{value}", np.array(value, np.float32)) for value in (0.0, 6.0)]
        return graph.emit("Clip", [source, *ends], output)
    if kind == "LeakyRelu":
        alpha = node.number("leakyrelu_alpha", node.number("alpha", 0.2))
        return graph.emit("LeakyRelu", [source], output, alpha=alpha)
    if kind == "Prelu":
        return graph.emit("PRelu", [source, graph.feature_map(node.inputs[-1])], output)
    return graph.emit(UNARY[kind], [source], output)


def _convolve(graph: GraphBuilder, node: Node) -> None:
    if node.text("data_format", "NHWC") != "NHWC":
        raise UnsupportedOperatorError(f"'{printable(node.name)}' has the data format {node.text('data_format')}")
    kernel = graph.constant(node.inputs[1], "the kernel")
    if "Depthwise" in node.operator:
        height, width, channels, multiplier = kernel.shape
        values, group = kernel.transpose(2, 3, 0, 1).reshape(channels * multiplier, 1, height, width), channels
    else:
        values, group = kernel.transpose(3, 2, 0, 1), 1
    fused = node.texts("fused_ops")
    inputs = [graph.feature_map(node.inputs[0]), graph.weights(f"{node.inputs[1]}/oihw", values)]
    if fused and fused[0] == "BiasAdd":
        inputs.append(graph.weights(node.inputs[2], graph.constant(node.inputs[2], "the bias")))
    kinds = [kind for kind in fused if kind != "BiasAdd"]
    require(len(kinds) <= 1 and all(kind in ACTIVATIONS for kind in kinds), f"is fused with {', '.join(fused)}", node)
    settings = {"strides": node.integers("strides")[1:3], "dilations": node.integers("dilations")[1:3] or [1, 1]}
    output = f"{node.name}/linear" if kinds else node.name
    graph.emit("Conv", inputs, output, group=group, kernel_shape=values.shape[2:], **settings, **_padding(node))
    graph.nchw.update((output, node.name))
    for kind in kinds:
        activate(graph, kind, output, node.name, node)


def _padding(node: Node) -> dict[str, Any]:
    padding = node.text("padding", "VALID")
    if padding == "EXPLICIT":
        top, bottom, left, right = node.integers("explicit_paddings")[2:6]
        return {"pads": [top, left, bottom, right]}
    return {"auto_pad": "SAME_UPPER" if padding == "SAME" else "VALID"}


def _pool(graph: GraphBuilder, node: Node) -> None:
    settings = {"kernel_shape": node.integers("ksize")[1:3], "strides": node.integers("strides")[1:3]}
    operator = "MaxPool" if node.operator == "MaxPool" else "AveragePool"
    graph.emit(operator, [graph.feature_map(node.inputs[0])], node.name, **settings, **_padding(node))
    graph.nchw.add(node.name)


def _multiply_matrices(graph: GraphBuilder, node: Node) -> None:
    fused = node.texts("fused_ops")
    kinds = [kind for kind in fused if kind != "BiasAdd"]
    require(len(kinds) <= 1 and all(kind in ACTIVATIONS for kind in kinds), f"is fused with {', '.join(fused)}", node)
    inputs = [graph.tensor(name) for name in node.inputs[: 3 if "BiasAdd" in fused else 2]]
    output = f"{node.name}/linear" if kinds else node.name
    graph.emit("Gemm", inputs, output, transA=int(node.flag("transpose_a")), transB=int(node.flag("transpose_b")))
    for kind in kinds:
        activate(graph, kind, output, node.name, node)


def _normalize(graph: GraphBuilder, node: Node) -> None:
    names = [graph.tensor(name) for name in node.inputs[1:5]]
    source = graph.feature_map(node.inputs[0])
    graph.emit("BatchNormalization", [source, *names], node.name, epsilon=node.number("epsilon", 1e-4))
    graph.nchw.add(node.name)


def _prelu(graph: GraphBuilder, node: Node) -> None:
    source = graph.feature_map(node.inputs[0])
    activate(graph, "Prelu", source, node.name, node)
    graph.nchw.add(node.name)


LAYERS: dict[str, Callable[[GraphBuilder, Node], None]] = {
    **dict.fromkeys(("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), _convolve),
    **dict.fromkeys(("MatMul", "_FusedMatMul"), _multiply_matrices),
    **dict.fromkeys(("MaxPool", "AvgPool"), _pool),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _normalize),
    "Prelu": _prelu,
}
"""Converters of layers by the name of the operator."""
