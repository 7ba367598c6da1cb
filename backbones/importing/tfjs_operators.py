"""Convert the operators of TensorFlow graphs in layout NHWC to ONNX.

Feature maps stay in ONNX's layout NCHW from one convolution to the next: `GraphBuilder.nchw` names the tensors in that
layout. Operators that depend on the order of the axes get the tensor in TensorFlow's layout.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backbones.errors import BackboneError, printable

if TYPE_CHECKING:
    from onnx import NodeProto, TensorProto

TO_NCHW, TO_NHWC = [0, 3, 1, 2], [0, 2, 3, 1]


class UnsupportedOperatorError(BackboneError):
    """An operator, or a setting of an operator, cannot be converted."""


@dataclass
class GraphBuilder:
    """Nodes and weights of the ONNX graph so far.

    Attributes
    ----------
    constants : dict of str to ndarray
        Values of constant nodes by name.
    nodes : list of NodeProto
    initializers : dict of str to TensorProto
    nchw : set of str
        Names of feature maps in layout NCHW; all other tensors have TensorFlow's layout.
    transposed : dict of str to str
        Names of tensors in the other layout by their names.
    dimensions : set of str
        Names of nodes that compute shapes; they are not converted, see `_stack`.
    """

    constants: dict[str, np.ndarray]
    nodes: list[NodeProto] = field(default_factory=list)
    initializers: dict[str, TensorProto] = field(default_factory=dict)
    nchw: set[str] = field(default_factory=set)
    transposed: dict[str, str] = field(default_factory=dict)
    dimensions: set[str] = field(default_factory=set)

    def emit(self, operator: str, inputs: Sequence[str], output: str, **attributes: Any) -> str:
        """Add a node; return its output."""
        from onnx import helper

        self.nodes.append(helper.make_node(operator, list(inputs), [output], name=output, **attributes))
        return output

    def weights(self, name: str, values: np.ndarray) -> str:
        """Add a constant tensor; return its name."""
        from onnx import numpy_helper

        self.initializers.setdefault(name, numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def tensor(self, name: str) -> str:
        """Return the name of a tensor in TensorFlow's layout."""
        if name in self.dimensions:
            raise UnsupportedOperatorError(f"'{printable(name)}', which is computed from a shape, is used as a value")
        if name in self.constants:
            return self.weights(name, self.constants[name])
        if name not in self.nchw:
            return name
        return self._transpose(name, TO_NHWC, "nhwc")

    def feature_map(self, name: str) -> str:
        """Return the name of a tensor [N, H, W, C] in layout NCHW."""
        if name in self.nchw:
            return name
        if name in self.constants:
            return self.weights(f"{name}/nchw", to_nchw(self.constants[name]))
        return self._transpose(name, TO_NCHW, "nchw")

    def _transpose(self, name: str, order: list[int], layout: str) -> str:
        if name not in self.transposed:
            self.transposed[name] = self.emit("Transpose", [name], f"{name}/{layout}", perm=order)
        return self.transposed[name]

    def constant(self, name: str, what: str) -> np.ndarray:
        """Return the value of a constant node; raise UnsupportedOperatorError for a computed tensor."""
        if name not in self.constants:
            raise UnsupportedOperatorError(f"{what} '{printable(name)}' is computed by the graph, not constant")
        return self.constants[name]


def to_nchw(values: np.ndarray) -> np.ndarray:
    """Return a constant that is broadcast to feature maps [N, H, W, C] as one that is broadcast to [N, C, H, W]."""
    return values if values.size == 1 else values.reshape((1,) * (4 - values.ndim) + values.shape).transpose(TO_NCHW)


@dataclass(frozen=True)
class Node:
    """Node of a TensorFlow graph.

    Attributes
    ----------
    name, operator : str
    inputs : tuple of str
        Names of the nodes whose first output it takes.
    attributes : mapping
        Attributes in the JSON form of GraphDef.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    @classmethod
    def parse(cls, fields: Mapping[str, Any]) -> Node:
        """Read a node; control inputs are ignored."""
        inputs = [name for name in fields.get("input", ()) if not name.startswith("^")]
        for name in inputs:
            if name.partition(":")[2] not in ("", "0"):
                raise UnsupportedOperatorError(f"'{printable(fields['name'])}' takes the second output of a node")
        return cls(
            fields["name"], fields["op"], tuple(name.partition(":")[0] for name in inputs), fields.get("attr") or {}
        )

    def text(self, key: str, default: str = "") -> str:
        """Return a text attribute, which JSON files hold in base 64."""
        value = self.attributes.get(key, {}).get("s")
        return default if value is None else base64.b64decode(value).decode("ascii")

    def texts(self, key: str) -> list[str]:
        """Return a list of texts."""
        values = self.attributes.get(key, {}).get("list", {}).get("s", ())
        return [base64.b64decode(value).decode("ascii") for value in values]

    def integers(self, key: str) -> list[int]:
        """Return a list of integers."""
        return [int(value) for value in self.attributes.get(key, {}).get("list", {}).get("i", ())]

    def number(self, key: str, default: float) -> float:
        """Return a floating-point attribute."""
        return float(self.attributes.get(key, {}).get("f", default))

    def flag(self, key: str) -> bool:
        """Return a Boolean attribute."""
        return bool(self.attributes.get(key, {}).get("b", False))


def _activate(graph: GraphBuilder, kind: str, source: str, output: str, node: Node) -> str:
    """Apply an activation function that is fused with another operator, or on its own."""
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
    _require(len(kinds) <= 1 and all(kind in ACTIVATIONS for kind in kinds), f"is fused with {', '.join(fused)}", node)
    settings = {"strides": node.integers("strides")[1:3], "dilations": node.integers("dilations")[1:3] or [1, 1]}
    output = f"{node.name}/linear" if kinds else node.name
    graph.emit("Conv", inputs, output, group=group, kernel_shape=values.shape[2:], **settings, **_padding(node))
    graph.nchw.update((output, node.name))
    for kind in kinds:
        _activate(graph, kind, output, node.name, node)


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
    _require(len(kinds) <= 1 and all(kind in ACTIVATIONS for kind in kinds), f"is fused with {', '.join(fused)}", node)
    inputs = [graph.tensor(name) for name in node.inputs[: 3 if "BiasAdd" in fused else 2]]
    output = f"{node.name}/linear" if kinds else node.name
    graph.emit("Gemm", inputs, output, transA=int(node.flag("transpose_a")), transB=int(node.flag("transpose_b")))
    for kind in kinds:
        _activate(graph, kind, output, node.name, node)


def _unary(graph: GraphBuilder, node: Node) -> None:
    source = node.inputs[0]
    _activate(graph, node.operator, source if source in graph.nchw else graph.tensor(source), node.name, node)
    if source in graph.nchw:
        graph.nchw.add(node.name)


def _binary(graph: GraphBuilder, node: Node) -> None:
    """Convert an element-wise operator: in layout NCHW if each input is a feature map in it or constant."""
    inputs = node.inputs[:2]
    is_map = any(name in graph.nchw for name in inputs) and all(
        name in graph.nchw or name in graph.constants for name in inputs
    )
    converted = [graph.feature_map(name) if is_map else graph.tensor(name) for name in inputs]
    graph.emit(BINARY[node.operator], converted, node.name)
    if is_map:
        graph.nchw.add(node.name)


def _normalize(graph: GraphBuilder, node: Node) -> None:
    names = [graph.tensor(name) for name in node.inputs[1:5]]
    source = graph.feature_map(node.inputs[0])
    graph.emit("BatchNormalization", [source, *names], node.name, epsilon=node.number("epsilon", 1e-4))
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
    _require(node.operator != "MirrorPad" or mode == "reflect", f"has mode {node.text('mode')}", node)
    graph.emit("Pad", inputs, node.name, mode=mode)
    if is_map:
        graph.nchw.add(node.name)


def _reshape(graph: GraphBuilder, node: Node) -> None:
    shape = graph.constant(node.inputs[1], "the shape").astype(np.int64)
    graph.emit("Reshape", [graph.tensor(node.inputs[0]), graph.weights(f"{node.name}/shape", shape)], node.name)


def _skip_dimension(graph: GraphBuilder, node: Node) -> None:
    graph.dimensions.add(node.name)


def _stack(graph: GraphBuilder, node: Node) -> None:
    """Convert a stack of one computed and several constant lengths, a new shape, to a constant with -1."""
    lengths = [-1 if name in graph.dimensions else int(graph.constant(name, "the length")) for name in node.inputs]
    _require(lengths.count(-1) <= 1, "stacks several computed lengths", node)
    graph.constants[node.name] = np.array(lengths, np.int32)


def _squeeze(graph: GraphBuilder, node: Node) -> None:
    axes = node.integers("squeeze_dims") or node.integers("axis")
    _require(bool(axes), "has no axes", node)
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


def _prelu(graph: GraphBuilder, node: Node) -> None:
    source = graph.feature_map(node.inputs[0])
    _activate(graph, "Prelu", source, node.name, node)
    graph.nchw.add(node.name)


def _require(condition: bool, problem: str, node: Node) -> None:
    if not condition:
        raise UnsupportedOperatorError(f"the {node.operator} '{printable(node.name)}' {printable(problem)}")


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
ACTIVATIONS = ("Relu", "Relu6", "Elu", "LeakyRelu", "Prelu", "Sigmoid", "Tanh")
"""Activation functions that TensorFlow.js fuses with convolutions and linear layers."""

Converter = Callable[[GraphBuilder, Node], None]
CONVERTERS: dict[str, Converter] = {
    **dict.fromkeys((*UNARY, "Relu6", "LeakyRelu"), _unary),
    **dict.fromkeys(BINARY, _binary),
    **dict.fromkeys(("Conv2D", "_FusedConv2D", "DepthwiseConv2dNative", "FusedDepthwiseConv2dNative"), _convolve),
    **dict.fromkeys(("MatMul", "_FusedMatMul"), _multiply_matrices),
    **dict.fromkeys(("MaxPool", "AvgPool"), _pool),
    **dict.fromkeys(("Mean", "Max", "Min", "Sum"), _reduce),
    **dict.fromkeys(("Pad", "PadV2", "MirrorPad"), _pad),
    **dict.fromkeys(("FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"), _normalize),
    "Prelu": _prelu,
    "Softmax": _softmax,
    **dict.fromkeys(("Shape", "StridedSlice"), _skip_dimension),
    "Pack": _stack,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "ExpandDims": _expand,
    "ConcatV2": _concatenate,
    "Transpose": _transpose,
}
