"""ONNX operators implemented with torch functions, so that a graph can be trained; see `onnx_torch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

Attributes = Mapping[str, Any]
"""Attributes of a node by name: numbers, lists of numbers, text or tensors."""

BATCH_NORM_EPSILON = 1e-5


def _same_padding(x: Tensor, kernel: Sequence[int], attributes: Attributes) -> list[int]:
    """Compute ONNX's pads (top, left, bottom, right) of a convolution or pooling."""
    mode = attributes.get("auto_pad", "NOTSET")
    if mode in ("NOTSET", "VALID"):
        return list(attributes.get("pads", [0, 0, 0, 0])) if mode == "NOTSET" else [0, 0, 0, 0]
    before, after = [], []
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    for length, width, stride, dilation in zip(x.shape[2:], kernel, strides, dilations):
        total = max((-(-length // stride) - 1) * stride + dilation * (width - 1) + 1 - length, 0)
        small, large = total // 2, total - total // 2
        before.append(small if mode == "SAME_UPPER" else large)
        after.append(large if mode == "SAME_UPPER" else small)
    return before + after


def _pad(x: Tensor, kernel: Sequence[int], attributes: Attributes, value: float = 0.0) -> tuple[Tensor, list[int]]:
    """Pad here if the operator cannot (other values than 0, or unequal sides); return the rest for the operator."""
    top, left, bottom, right = _same_padding(x, kernel, attributes)
    if (top, left) == (bottom, right) and value == 0.0:
        return x, [top, left]
    return functional.pad(x, (left, right, top, bottom), value=value), [0, 0]


def _conv(attributes: Attributes, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    x, padding = _pad(x, weight.shape[2:], attributes)
    strides, dilations = attributes.get("strides", [1, 1]), attributes.get("dilations", [1, 1])
    return functional.conv2d(x, weight, bias, strides, padding, dilations, attributes.get("group", 1))


def _max_pool(attributes: Attributes, x: Tensor) -> Tensor:
    kernel = attributes["kernel_shape"]
    x, padding = _pad(x, kernel, attributes, -torch.inf)
    return functional.max_pool2d(
        x,
        kernel,
        attributes.get("strides", [1, 1]),
        padding,
        attributes.get("dilations", [1, 1]),
        bool(attributes.get("ceil_mode", 0)),
    )


def _average_pool(attributes: Attributes, x: Tensor) -> Tensor:
    kernel, strides = attributes["kernel_shape"], attributes.get("strides", [1, 1])
    padded, padding = _pad(x, kernel, attributes)
    ceil, with_pads = bool(attributes.get("ceil_mode", 0)), bool(attributes.get("count_include_pad", 0))
    result = functional.avg_pool2d(padded, kernel, strides, padding, ceil, with_pads)
    if padded is x or with_pads:
        return result
    inside, _ = _pad(torch.ones_like(x[:1, :1]), kernel, attributes)
    return result / functional.avg_pool2d(inside, kernel, strides, 0, ceil)


def _gemm(attributes: Attributes, a: Tensor, b: Tensor, c: Tensor | None = None) -> Tensor:
    a = a.T if attributes.get("transA") else a
    b = b.T if attributes.get("transB") else b
    result = attributes.get("alpha", 1.0) * (a @ b)
    return result if c is None else result + attributes.get("beta", 1.0) * c


def _batch_norm(attributes: Attributes, *tensors: Tensor) -> Tensor:
    """Normalize with the stored mean and variance, also during training."""
    x, scale, bias, mean, variance = tensors
    epsilon = attributes.get("epsilon", BATCH_NORM_EPSILON)
    return functional.batch_norm(x, mean, variance, scale, bias, training=False, eps=epsilon)


def _axes(attributes: Attributes, axes: Tensor | None) -> list[int] | None:
    """Return axes, which are an attribute or, since opset 13 or 18, an input."""
    return axes.tolist() if axes is not None else attributes.get("axes")


def _reduce(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def reduce(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
        chosen = _axes(attributes, axes) or list(range(x.ndim))
        return function(x, dim=chosen, keepdim=bool(attributes.get("keepdims", 1)))

    return reduce


def _clip(attributes: Attributes, x: Tensor, low: Tensor | None = None, high: Tensor | None = None) -> Tensor:
    bounds = [attributes.get(key) if value is None else value for key, value in (("min", low), ("max", high))]
    return x if bounds == [None, None] else torch.clamp(x, *(None if b is None else float(b) for b in bounds))


def _reshape(attributes: Attributes, x: Tensor, shape: Tensor) -> Tensor:
    sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(shape.tolist())]
    return x.reshape(sizes)


def _flatten(attributes: Attributes, x: Tensor) -> Tensor:
    axis = attributes.get("axis", 1) % (x.ndim + 1)
    return x.flatten(axis).unsqueeze(0) if axis == 0 else x.flatten(axis).flatten(0, axis - 1)


def _squeeze(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = _axes(attributes, axes)
    return x.squeeze() if chosen is None else x.squeeze(tuple(chosen))


def _unsqueeze(attributes: Attributes, x: Tensor, axes: Tensor | None = None) -> Tensor:
    chosen = _axes(attributes, axes) or []
    for axis in sorted(axis % (x.ndim + len(chosen)) for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def _pad_operator(attributes: Attributes, x: Tensor, pads: Tensor | None = None, value: Tensor | None = None) -> Tensor:
    mode = {"constant": "constant", "reflect": "reflect", "edge": "replicate"}[attributes.get("mode", "constant")]
    widths = attributes["pads"] if pads is None else pads.tolist()
    pairs = [(widths[axis], widths[axis + x.ndim]) for axis in reversed(range(x.ndim))]
    while pairs and pairs[-1] == (0, 0):
        pairs.pop()
    flat = [width for pair in pairs for width in pair]
    if mode != "constant":
        return functional.pad(x, flat, mode)
    return functional.pad(x, flat, value=attributes.get("value", 0.0) if value is None else float(value))


def _gather(attributes: Attributes, x: Tensor, indices: Tensor) -> Tensor:
    axis = attributes.get("axis", 0) % x.ndim
    chosen = x.index_select(axis, indices.flatten() % x.shape[axis])
    return chosen.reshape(*x.shape[:axis], *indices.shape, *x.shape[axis + 1 :])


def _minimum(attributes: Attributes, *tensors: Tensor) -> Tensor:
    result = tensors[0]
    for tensor in tensors[1:]:
        result = torch.minimum(result, tensor)
    return result


def _maximum(attributes: Attributes, *tensors: Tensor) -> Tensor:
    result = tensors[0]
    for tensor in tensors[1:]:
        result = torch.maximum(result, tensor)
    return result


def _prelu(attributes: Attributes, x: Tensor, slope: Tensor) -> Tensor:
    return torch.where(x < 0, x * slope, x)


def _hard_sigmoid(attributes: Attributes, x: Tensor) -> Tensor:
    return torch.clamp(attributes.get("alpha", 0.2) * x + attributes.get("beta", 0.5), 0, 1)


def _pass_on(attributes: Attributes, x: Tensor, *_: Tensor) -> Tensor:
    return x


OPERATORS: Mapping[str, Callable[..., Tensor]] = {
    "Add": lambda attributes, a, b: a + b,
    "AveragePool": _average_pool,
    "BatchNormalization": _batch_norm,
    "Clip": _clip,
    "Concat": lambda attributes, *tensors: torch.cat(tensors, attributes["axis"]),
    "Constant": lambda attributes: attributes["value"],
    "Conv": _conv,
    "Div": lambda attributes, a, b: a / b,
    "Dropout": _pass_on,
    "Elu": lambda attributes, x: functional.elu(x, attributes.get("alpha", 1.0)),
    "Flatten": _flatten,
    "Gather": _gather,
    "Gemm": _gemm,
    "GlobalAveragePool": lambda attributes, x: x.mean((2, 3), keepdim=True),
    "HardSigmoid": _hard_sigmoid,
    "HardSwish": lambda attributes, x: functional.hardswish(x),
    "Identity": _pass_on,
    "LeakyRelu": lambda attributes, x: functional.leaky_relu(x, attributes.get("alpha", 0.01)),
    "MatMul": lambda attributes, a, b: a @ b,
    "Max": _maximum,
    "MaxPool": _max_pool,
    "Min": _minimum,
    "Mul": lambda attributes, a, b: a * b,
    "PRelu": _prelu,
    "Pad": _pad_operator,
    "ReduceL2": _reduce(torch.linalg.vector_norm),
    "ReduceMean": _reduce(torch.mean),
    "ReduceSum": _reduce(torch.sum),
    "Relu": lambda attributes, x: functional.relu(x),
    "Reshape": _reshape,
    "Shape": lambda attributes, x: torch.tensor(x.shape),
    "Sigmoid": lambda attributes, x: torch.sigmoid(x),
    "Softmax": lambda attributes, x: torch.softmax(x, attributes.get("axis", -1)),
    "Sqrt": lambda attributes, x: torch.sqrt(x),
    "Squeeze": _squeeze,
    "Sub": lambda attributes, a, b: a - b,
    "Tanh": lambda attributes, x: torch.tanh(x),
    "Transpose": lambda attributes, x: x.permute(attributes.get("perm") or tuple(reversed(range(x.ndim)))),
    "Unsqueeze": _unsqueeze,
}
"""Operators that can be trained, by their names in ONNX. Each takes the attributes, then the inputs."""

TRAINED_INPUTS: Mapping[str, Sequence[int]] = {
    "Add": (0, 1),
    "BatchNormalization": (1, 2),
    "Conv": (1, 2),
    "Gemm": (1, 2),
    "MatMul": (0, 1),
    "Mul": (0, 1),
    "PRelu": (1,),
    "Sub": (0, 1),
}
"""Positions of the inputs of each operator that are trained, if they are tensors in the file with several elements."""
