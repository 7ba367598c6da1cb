"""Graph of face-api's networks with dense blocks. The files of these networks contain weights but no graph.

The graph is part of face-api's program (`FaceFeatureExtractor` and `FaceProcessor`): four blocks of four convolutions,
each block with half the resolution of the one before, an average over what is left, and a linear layer.
"""

from __future__ import annotations

import base64
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

SIZE = 112
BLOCKS, CONVOLUTIONS = 4, 4
EMBEDDING, SCORES = "bottleneck", "logits"
REQUIRED = ("dense0/conv0/filters", "dense3/conv3/pointwise_filter", "fc/weights", "fc/bias")
"""Names of weights by which these networks are recognized."""


def is_faceapi(weights: Collection[str]) -> bool:
    """Return whether weights have the names of a network with dense blocks."""
    return all(name in weights for name in REQUIRED)


def faceapi_nodes(weights: Collection[str]) -> tuple[dict[str, Any], ...]:
    """Return the nodes of the graph in the JSON form of GraphDef.

    Parameters
    ----------
    weights : collection of str
        Names of the weights.

    Returns
    -------
    tuple of dict
        The nodes. The output `bottleneck` has 256 columns, and `logits` one for each class.
    """
    graph = _Graph([{"name": name, "op": "Const"} for name in weights])
    sizes = [{"size": str(length)} for length in (-1, SIZE, SIZE, 3)]
    source = graph.add("input", "Placeholder", shape={"shape": {"dim": sizes}})
    for block in range(BLOCKS):
        source = graph.dense_block(source, f"dense{block}", is_first=block == 0)
    settings = {"ksize": _integers(1, 7, 7, 1), "strides": _integers(1, 2, 2, 1), "padding": _text("VALID")}
    pooled = graph.add("pooled", "AvgPool", source, **settings)
    bottleneck = graph.add(EMBEDDING, "Squeeze", pooled, squeeze_dims=_integers(1, 2))
    graph.add(SCORES, "BiasAdd", graph.add("fc/product", "MatMul", bottleneck, "fc/weights"), "fc/bias")
    return tuple(graph.nodes)


@dataclass
class _Graph:
    nodes: list[dict[str, Any]] = field(default_factory=list)

    def add(self, name: str, operator: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append({"name": name, "op": operator, "input": list(inputs), "attr": attributes})
        return name

    def dense_block(self, source: str, name: str, is_first: bool) -> str:
        first = f"{name}/conv0"
        if is_first:
            linear = self.convolution(first, "Conv2D", source, f"{first}/filters", stride=2)
            linear = self.add(f"{first}/biased", "BiasAdd", linear, f"{first}/bias")
        else:
            linear = self.separable(first, source, stride=2)
        parts = [self.add(f"{first}/relu", "Relu", linear)]
        for index in range(1, CONVOLUTIONS):
            parts.append(self.separable(f"{name}/conv{index}", self.sum(f"{name}/in{index}", parts)))
        return self.sum(f"{name}/out", parts)

    def sum(self, name: str, parts: list[str]) -> str:
        """Add outputs and apply ReLU; a single output is returned unchanged because it is the output of a ReLU."""
        total = parts[0]
        for number, part in enumerate(parts[1:], start=1):
            total = self.add(f"{name}/sum{number}", "AddV2", total, part)
        return self.add(name, "Relu", total) if len(parts) > 1 else total

    def separable(self, name: str, source: str, stride: int = 1) -> str:
        depthwise = self.convolution(
            f"{name}/depthwise", "DepthwiseConv2dNative", source, f"{name}/depthwise_filter", stride
        )
        pointwise = self.convolution(f"{name}/pointwise", "Conv2D", depthwise, f"{name}/pointwise_filter")
        return self.add(f"{name}/biased", "BiasAdd", pointwise, f"{name}/bias")

    def convolution(self, name: str, operator: str, source: str, kernel: str, stride: int = 1) -> str:
        strides = _integers(1, stride, stride, 1)
        return self.add(name, operator, source, kernel, strides=strides, padding=_text("SAME"))


def _text(value: str) -> dict[str, str]:
    return {"s": base64.b64encode(value.encode()).decode()}


def _integers(*values: int) -> dict[str, Any]:
    return {"list": {"i": [str(value) for value in values]}}
