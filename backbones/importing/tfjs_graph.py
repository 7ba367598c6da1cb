"""Graph under construction in the conversion of TensorFlow graphs to ONNX, and the nodes of such graphs.

Feature maps stay in ONNX's layout NCHW from one convolution to the next: `GraphBuilder.nchw` names the tensors in that
layout. Operators that depend on the order of the axes get the tensor in TensorFlow's layout, NHWC.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
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
        Name of the transposed copy of each tensor that has one, by name of the tensor.
    dimensions : set of str
        Names of nodes that compute shapes; they are not converted, see `tfjs_operators`.
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
    """Transpose a constant that is broadcast over feature maps from layout NHWC to NCHW."""
    return values if values.size == 1 else values.reshape((1,) * (4 - values.ndim) + values.shape).transpose(TO_NCHW)


@dataclass(frozen=True)
class Node:
    """Node of a TensorFlow graph.

    Attributes
    ----------
    name, operator : str
    inputs : tuple of str
        Names of the nodes whose first output is an input of this node.
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


def require(condition: bool, problem: str, node: Node) -> None:
    """Raise UnsupportedOperatorError for a node, unless a condition is true."""
    if not condition:
        raise UnsupportedOperatorError(f"the {node.operator} '{printable(node.name)}' {printable(problem)}")
