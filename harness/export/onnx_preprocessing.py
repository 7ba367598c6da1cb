"""Preprocessing as ONNX nodes: Pillow's resizing of uint8 crops of any size, bit for bit, and normalization.

Pillow resamples in 22-bit fixed point, first along the rows and then along the columns, and rounds to gray levels in
between. The product of a weight and a gray level needs up to 30 bits, but float32 holds only 24. Each weight is
therefore split into a high and a low part of 11 bits; sums of their products are exact below 2^24. ONNX's own Resize is
not used, because it rounds differently where a sum is halfway between two gray levels. Such sums are frequent, and the
result differs from Pillow's by up to two levels.

In shapes, N is the number of crops, H and W are their height and width, and S is the input size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from backbones.preprocessing import FILTER_SUPPORT, scale_and_offset
from backbones.spec import Preprocessing

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

CROPS, PIXELS = "crops", "pixels"
BITS, HALF_BITS = 22, 11
FLOAT, INT64, DOUBLE = 1, 7, 11


class NodeWriter:
    """Builder of a list of ONNX nodes.

    Attributes
    ----------
    prefix : str
        Prefix of the names of nodes.
    nodes : list of NodeProto
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **attributes: Any) -> Any:
        """Append a node and return the name of its output, or a list of names if it has several."""
        from onnx import helper

        name = f"{self.prefix}{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def value(self, value: float | list, kind: type = np.float64) -> str:
        """Append a constant and return its name."""
        from onnx import numpy_helper

        return self("Constant", value=numpy_helper.from_array(np.asarray(value, kind)))


def can_resize(preprocessing: Preprocessing) -> bool:
    """Return whether the graph can resize crops of any size; if not, crops must have the input size."""
    return preprocessing.interpolation in FILTER_SUPPORT


def preprocessing_graph(preprocessing: Preprocessing, resizing: bool) -> GraphProto:
    """Build the graph from uint8 RGB `crops` [N, H, W, 3] to normalized float32 `pixels` [N, 3, S, S].

    Parameters
    ----------
    preprocessing : Preprocessing
    resizing : bool
        Accept crops of any size (see `can_resize`); otherwise H and W must be S. Crops of size S are not resized.
    """
    from onnx import TensorProto, helper, numpy_helper

    size, write = preprocessing.input_size, NodeWriter("prelude_")
    planes = write("Cast", write("Transpose", CROPS, perm=[0, 3, 1, 2]), to=FLOAT)
    if resizing:
        sides = write("Shape", planes, start=2, end=4)
        same = write("Equal", sides, write.value([size, size], np.int64))
        is_same = write("Cast", write("ReduceMin", write("Cast", same, to=INT64), keepdims=0), to=TensorProto.BOOL)
        planes = write(
            "If", is_same, then_branch=_identity_branch(planes), else_branch=_resize_branch(planes, preprocessing)
        )
    scale, offset = (numpy_helper.from_array(v.reshape(1, 3, 1, 1)) for v in scale_and_offset(preprocessing))
    scaled = write("Mul", planes, write("Constant", value=scale))
    write.nodes.append(helper.make_node("Add", [scaled, write("Constant", value=offset)], [PIXELS], name=PIXELS))
    side: tuple[str | int, str | int] = ("height", "width") if resizing else (size, size)
    return helper.make_graph(
        write.nodes,
        "prelude",
        [helper.make_tensor_value_info(CROPS, TensorProto.UINT8, ["batch", *side, 3])],
        [helper.make_tensor_value_info(PIXELS, TensorProto.FLOAT, ["batch", 3, size, size])],
    )


def _identity_branch(planes: str) -> GraphProto:
    write = NodeWriter("same_")
    return _branch(write.nodes, write("Identity", planes))


def _resize_branch(planes: str, preprocessing: Preprocessing) -> GraphProto:
    """Resize float32 [N, 3, H, W] gray levels to [N, 3, S, S]."""
    write, size = NodeWriter("resized_"), preprocessing.input_size
    across = _split_weights(write, planes, 3, preprocessing)
    wide = _round_levels(
        write,
        *write("Split", write("MatMul", planes, write("Concat", *across, axis=1)), outputs=2, axis=3, num_outputs=2),
    )
    down = write("Transpose", write("Concat", *_split_weights(write, planes, 2, preprocessing), axis=1), perm=[1, 0])
    tall = _round_levels(write, *write("Split", write("MatMul", down, wide), outputs=2, axis=2, num_outputs=2))
    shape = write("Concat", write("Shape", planes, start=0, end=2), write.value([size, size], np.int64), axis=0)
    return _branch(write.nodes, write("Reshape", tall, shape))


def _branch(nodes: list[NodeProto], output: str) -> GraphProto:
    from onnx import TensorProto, helper

    return helper.make_graph(nodes, output, [], [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)])


def _round_levels(write: NodeWriter, high: str, low: str) -> str:
    """Round (high * 2^11 + low) / 2^22 to the nearest gray level, ties up; exact in float32 if both are below 2^24."""
    step, half = write.value(2.0**HALF_BITS, np.float32), write.value(2.0 ** (BITS - 1), np.float32)
    carried = write("Floor", write("Div", write("Add", low, half), step))
    levels = write("Floor", write("Div", write("Add", high, carried), step))
    return write("Clip", levels, write.value(0.0, np.float32), write.value(255.0, np.float32))


def _split_weights(write: NodeWriter, planes: str, axis: int, preprocessing: Preprocessing) -> tuple[str, str]:
    """Split each weight into float32 `high` and `low` [length, S]: weight = high * 2^11 + low, in units of 2^-22."""
    whole = _weights(write, planes, axis, preprocessing)
    step = write.value(2.0**HALF_BITS)
    high = write("Floor", write("Div", whole, step))
    low = write("Sub", whole, write("Mul", high, step))
    return write("Cast", high, to=FLOAT), write("Cast", low, to=FLOAT)


def _weights(write: NodeWriter, planes: str, axis: int, preprocessing: Preprocessing) -> str:
    """Compute the weight of each input pixel in each output pixel: float64 [length, S], in units of 2^-22."""
    one, half, zero = write.value(1.0), write.value(0.5), write.value(0.0)
    length = write("Cast", write("Squeeze", write("Shape", planes, start=axis, end=axis + 1)), to=DOUBLE)
    scale = write("Div", length, write.value(float(preprocessing.input_size)))
    stretch = write("Max", scale, one)
    reach = write("Mul", stretch, write.value(FILTER_SUPPORT[preprocessing.interpolation]))
    positions = [at + 0.5 for at in range(preprocessing.input_size)]
    center = write("Mul", write.value([positions]), scale)
    first = write("Max", write("Floor", write("Add", write("Sub", center, reach), half)), zero)
    end = write("Min", write("Floor", write("Add", write("Add", center, reach), half)), length)
    pixel = write("Unsqueeze", write("Range", zero, length, one), write.value([1], np.int64))
    distance = write("Abs", write("Mul", write("Add", write("Sub", pixel, center), half), write("Div", one, stretch)))
    in_support = write("And", write("GreaterOrEqual", pixel, first), write("Less", pixel, end))
    filtered = _bilinear(write, distance) if preprocessing.interpolation == "bilinear" else _bicubic(write, distance)
    weights = write("Where", in_support, filtered, zero)
    total = write("ReduceSum", weights, write.value([0], np.int64), keepdims=1)
    units = write("Mul", write("Mul", weights, write("Div", one, total)), write.value(2.0**BITS))
    return write("Mul", write("Sign", units), write("Floor", write("Add", write("Abs", units), half)))


def _bilinear(write: NodeWriter, distance: str) -> str:
    return write("Max", write("Sub", write.value(1.0), distance), write.value(0.0))


def _bicubic(write: NodeWriter, distance: str) -> str:
    """Evaluate Keys' cubic with a = -0.5."""
    near = _polynomial(write, distance, (1.5, -2.5, 0.0, 1.0))
    far = _polynomial(write, distance, (-0.5, 2.5, -4.0, 2.0))
    beyond = write("Where", write("Less", distance, write.value(2.0)), far, write.value(0.0))
    return write("Where", write("Less", distance, write.value(1.0)), near, beyond)


def _polynomial(write: NodeWriter, value: str, factors: tuple[float, ...]) -> str:
    result = write.value(factors[0])
    for factor in factors[1:]:
        result = write("Add", write("Mul", result, value), write.value(factor))
    return result
