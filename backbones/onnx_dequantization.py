"""Conversion of block-quantized weights of an ONNX model to float32, because ONNX Runtime cannot run all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def dequantize_weights(graph: GraphProto) -> None:
    """Replace each DequantizeLinear node whose inputs are all constant by its result, in place.

    OpenCV's model zoo quantizes weights in blocks. Some of its nodes have blocks that are larger than the tensor, or a
    block size although there is only a single scale. ONNX Runtime rejects both.
    """
    from onnx import numpy_helper

    constants = {tensor.name: tensor for tensor in graph.initializer}
    kept = []
    for node in graph.node:
        if node.op_type != "DequantizeLinear" or any(name and name not in constants for name in node.input):
            kept.append(node)
            continue
        values, scale, *zero = (numpy_helper.to_array(constants[name]) for name in node.input if name)
        graph.initializer.append(numpy_helper.from_array(_dequantize(node, values, scale, *zero), node.output[0]))
    del graph.node[:]
    graph.node.extend(kept)
    used = {name for node in graph.node for name in node.input} | {port.name for port in graph.output}
    for tensors in (graph.initializer, graph.input):
        remaining = [tensor for tensor in tensors if tensor.name in used or tensor.name not in constants]
        del tensors[:]
        tensors.extend(remaining)


def _dequantize(node: NodeProto, values: np.ndarray, scale: np.ndarray, zero: np.ndarray | float = 0.0) -> np.ndarray:
    """Compute (values - zero) * scale in float32; there is one scale per tensor, per index of an axis or per block."""
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    axis, block = attributes.get("axis", 1), attributes.get("block_size", 0)

    def spread(parameter: np.ndarray) -> np.ndarray:
        if parameter.size == 1:
            return parameter.reshape(())
        if block:
            return np.repeat(parameter, block, axis=axis).take(np.arange(values.shape[axis]), axis=axis)
        shape = [1] * values.ndim
        shape[axis] = -1
        return parameter.reshape(shape)

    difference = values.astype(np.float32) - spread(np.asarray(zero)).astype(np.float32)
    return (difference * spread(scale)).astype(np.float32)
