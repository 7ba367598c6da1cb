"""ONNX graph as a torch network that can be trained; see `trainable` for the conversion of backbones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from backbones.errors import BackboneError, join_first, printable
from backbones.onnx_graph import prune_to_outputs
from backbones.onnx_network import Ports
from backbones.onnx_operators import OPERATORS, TRAINED_INPUTS

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

FLOAT32 = 1
SCORES, CLASSIFIER = "framelight_scores", "framelight_classifier"
"""Names of the output and of the weights that are added to a graph for its classifier."""


@dataclass(frozen=True)
class GraphNode:
    """Node of a graph.

    Attributes
    ----------
    operator : str
        Name of the operator.
    inputs, outputs : tuple of str
        Names of tensors; an optional input that is not given is an empty name.
    attributes : dict
        Attributes by name.
    """

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]


class TorchGraph(nn.Module):
    """ONNX graph with trainable weights and timm's interface.

    Convolutions, linear layers, normalizations and per-channel scales and offsets are trained. Running means and
    variances are not updated; in most exported graphs they are folded into other weights. The scores of the graph are
    not used: `reset_classifier` adds a linear layer.

    Parameters
    ----------
    model : ModelProto
        The model.
    ports : Ports
        Its input and outputs.
    width : int
        Columns of the embedding.
    path : Path
        Its file, for messages.

    Raises
    ------
    BackboneError
        If the graph has operators that cannot be trained or no weights.
    """

    def __init__(self, model: ModelProto, ports: Ports, width: int, path: Path) -> None:
        super().__init__()
        prune_to_outputs(model, [ports.embedding])
        self.ports, self.width, self.path = ports, width, path
        self.nodes = [_read_node(node) for node in model.graph.node]
        unknown = sorted({node.operator for node in self.nodes}.difference(OPERATORS))
        if unknown:
            raise BackboneError(
                f"{path} cannot be trained: its graph has operators without an equivalent in training: "
                f"{join_first([printable(name) for name in unknown], 5)}",
                "train a head on its features, or import the PyTorch weights of the same network",
            )
        self.content = model.SerializeToString(deterministic=True)
        self.tensor_names: dict[str, str] = {}
        self._add_tensors(model)
        if not any(True for _ in self.parameters()):
            raise BackboneError(f"{path} cannot be trained: its graph has no weights", "train a head on its features")
        self.classifier: nn.Module = nn.Identity()

    def _add_tensors(self, model: ModelProto) -> None:
        from onnx import numpy_helper

        trained = {
            node.inputs[position]
            for node in self.nodes
            for position in TRAINED_INPUTS.get(node.operator, ())
            if position < len(node.inputs)
        }
        for number, tensor in enumerate(model.graph.initializer):
            value = torch.from_numpy(numpy_helper.to_array(tensor).copy())
            name = f"tensor_{number}"
            self.tensor_names[tensor.name] = name
            if tensor.name in trained and value.dtype == torch.float32 and value.numel() > 1:
                self.register_parameter(name, nn.Parameter(value))
            else:
                self.register_buffer(name, value)

    def forward_features(self, x: Tensor) -> Tensor:
        """Map a batch of float32 crops, channels first, to embeddings."""
        values: dict[str, Tensor | None] = {"": None, self.ports.input: x}
        values |= {name: getattr(self, attribute) for name, attribute in self.tensor_names.items()}
        for node in self.nodes:
            inputs = [values[name] for name in node.inputs]
            result = OPERATORS[node.operator](node.attributes, *inputs)
            values[node.outputs[0]] = result.to(x.device) if node.operator == "Constant" else result
        embedding = values[self.ports.embedding]
        assert embedding is not None
        return embedding.flatten(1)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """Return the scores of embeddings, or the embeddings themselves if `pre_logits`."""
        return x if pre_logits else self.get_classifier()(x)

    def forward(self, x: Tensor) -> Tensor:
        """Map a batch of float32 crops, channels first, to scores."""
        return self.forward_head(self.forward_features(x))

    def get_classifier(self) -> nn.Module:
        """Return the linear layer of the scores; an identity before the first `reset_classifier`."""
        return self.classifier

    def reset_classifier(self, classes: int) -> None:
        """Replace the classifier by a randomly initialized one."""
        weight = next(self.parameters())
        self.classifier = nn.Linear(self.width, classes).to(weight.device)

    def to_model(self) -> tuple[ModelProto, Ports]:
        """Return a model with the current weights and, if there is a classifier, the scores as an output."""
        from onnx import ModelProto, helper, numpy_helper

        model = ModelProto.FromString(self.content)
        for tensor in model.graph.initializer:
            value = getattr(self, self.tensor_names[tensor.name]).detach().cpu().contiguous().numpy()
            tensor.CopyFrom(numpy_helper.from_array(value, tensor.name))
        if not isinstance(self.classifier, nn.Linear):
            return model, replace(self.ports, scores=None)
        names = [f"{CLASSIFIER}_{part}" for part in ("embedding", "weight", "bias")]
        graph, weights = model.graph, (self.classifier.weight, self.classifier.bias)
        for name, weight in zip(names[1:], weights):
            graph.initializer.append(numpy_helper.from_array(weight.detach().cpu().contiguous().numpy(), name))
        graph.node.append(helper.make_node("Flatten", [self.ports.embedding], names[:1], axis=1))
        graph.node.append(helper.make_node("Gemm", names, [SCORES], transB=1))
        first = graph.output[0].type.tensor_type.shape.dim[:1]
        batch = [dim.dim_value if dim.HasField("dim_value") else dim.dim_param for dim in first] or ["batch"]
        graph.output.append(helper.make_tensor_value_info(SCORES, FLOAT32, [*batch, len(self.classifier.weight)]))
        return model, replace(self.ports, scores=SCORES)


def _read_node(node: NodeProto) -> GraphNode:
    attributes = dict(_read_attributes(node))
    if node.op_type == "Constant" and "value" not in attributes:
        _, value = attributes.popitem()
        attributes["value"] = torch.tensor(value)
    return GraphNode(node.op_type, tuple(node.input), tuple(node.output), attributes)


def _read_attributes(node: NodeProto) -> Iterator[tuple[str, Any]]:
    from onnx import TensorProto, helper, numpy_helper

    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if isinstance(value, bytes):
            value = value.decode(errors="replace")
        if isinstance(value, TensorProto):
            value = torch.from_numpy(np.array(numpy_helper.to_array(value)))
        yield attribute.name, value
