"""From uint8 crops of any size to what a network takes, as ONNX nodes: Pillow's resizing, byte for byte, and the scale.

Pillow resamples in fixed point of 22 bits, along the rows and then along the columns, and rounds in between. Products
of such weights with grey levels are too long for float32, so each weight is two numbers of 11 bits: then every sum is
exact. ONNX's own Resize differs from Pillow by up to two grey levels where sums end in a half, which they often do.
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
    """ONNX nodes as they are written down, one after the other."""

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[NodeProto] = []

    def __call__(self, operator: str, *inputs: str, outputs: int = 1, **attributes: object) -> Any:
        """Name of the node's output, or a list of them where there are several."""
        from onnx import helper

        name = f"{self.prefix}{len(self.nodes)}"
        names = [name] if outputs == 1 else [f"{name}_{i}" for i in range(outputs)]
        self.nodes.append(helper.make_node(operator, list(inputs), names, name=name, **attributes))
        return names[0] if outputs == 1 else names

    def value(self, value: float | list, kind: type = np.float64) -> str:
        from onnx import numpy_helper

        return self("Constant", value=numpy_helper.from_array(np.asarray(value, kind)))


def can_resize(preprocessing: Preprocessing) -> bool:
    """Whether crops of any size can be resized inside; otherwise they must come at the input size."""
    return preprocessing.interpolation in FILTER_SUPPORT


def preprocessing_graph(preprocessing: Preprocessing, resizing: bool) -> GraphProto:
    """uint8 `crops` [N, H, W, 3] RGB -> float32 `pixels` [N, 3, S, S]; crops of the input size are not resized.

    resizing: crops of any size are taken (see `any_size`), else H and W are S.
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
    """float32 [N, 3, H, W] of whole numbers -> [N, 3, S, S] of them."""
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
    """(high * 2^11 + low) / 2^22 to the nearest grey level, ties up; every step is exact in float32."""
    step, half = write.value(2.0**HALF_BITS, np.float32), write.value(2.0 ** (BITS - 1), np.float32)
    carried = write("Floor", write("Div", write("Add", low, half), step))
    levels = write("Floor", write("Div", write("Add", high, carried), step))
    return write("Clip", levels, write.value(0.0, np.float32), write.value(255.0, np.float32))


def _split_weights(write: NodeWriter, planes: str, axis: int, preprocessing: Preprocessing) -> tuple[str, str]:
    """float32 [length, S] each: a weight is high * 2^11 + low, in units of 2^-22."""
    whole = _weights(write, planes, axis, preprocessing)
    step = write.value(2.0**HALF_BITS)
    high = write("Floor", write("Div", whole, step))
    low = write("Sub", whole, write("Mul", high, step))
    return write("Cast", high, to=FLOAT), write("Cast", low, to=FLOAT)


def _weights(write: NodeWriter, planes: str, axis: int, preprocessing: Preprocessing) -> str:
    """float64 [length, S]: the weight of each pixel in each of the S it becomes, in units of 2^-22."""
    one, half, zero = write.value(1.0), write.value(0.5), write.value(0.0)
    length = write("Cast", write("Squeeze", write("Shape", planes, start=axis, end=axis + 1)), to=DOUBLE)
    scale = write("Div", length, write.value(float(preprocessing.input_size)))
    stretch = write("Max", scale, one)
    reach = write("Mul", stretch, write.value(FILTER_SUPPORT[preprocessing.interpolation]))
    places = [at + 0.5 for at in range(preprocessing.input_size)]
    centre = write("Mul", write.value([places]), scale)
    first = write("Max", write("Floor", write("Add", write("Sub", centre, reach), half)), zero)
    end = write("Min", write("Floor", write("Add", write("Add", centre, reach), half)), length)
    pixel = write("Unsqueeze", write("Range", zero, length, one), write.value([1], np.int64))
    away = write("Abs", write("Mul", write("Add", write("Sub", pixel, centre), half), write("Div", one, stretch)))
    within = write("And", write("GreaterOrEqual", pixel, first), write("Less", pixel, end))
    filtered = _bilinear(write, away) if preprocessing.interpolation == "bilinear" else _bicubic(write, away)
    weights = write("Where", within, filtered, zero)
    total = write("ReduceSum", weights, write.value([0], np.int64), keepdims=1)
    units = write("Mul", write("Mul", weights, write("Div", one, total)), write.value(2.0**BITS))
    return write("Mul", write("Sign", units), write("Floor", write("Add", write("Abs", units), half)))


def _bilinear(write: NodeWriter, away: str) -> str:
    return write("Max", write("Sub", write.value(1.0), away), write.value(0.0))


def _bicubic(write: NodeWriter, away: str) -> str:
    """Keys' cubic with a = -0.5; what lies beyond two is masked by the caller."""
    near = _polynomial(write, away, (1.5, -2.5, 0.0, 1.0))
    far = _polynomial(write, away, (-0.5, 2.5, -4.0, 2.0))
    beyond = write("Where", write("Less", away, write.value(2.0)), far, write.value(0.0))
    return write("Where", write("Less", away, write.value(1.0)), near, beyond)


def _polynomial(write: NodeWriter, value: str, factors: tuple[float, ...]) -> str:
    found = write.value(factors[0])
    for factor in factors[1:]:
        found = write("Add", write("Mul", found, value), write.value(factor))
    return found
