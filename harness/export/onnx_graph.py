"""A run as one ONNX graph: prelude, backbone and heads, each made for itself and joined."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from backbones.engines.onnx_engine import get_or_export_onnx, suppress_exporter_output, unexportable_error
from backbones.onnx_network import OnnxNetwork
from harness.export.network import EMBEDDING, OUTPUTS, ExportNetwork
from harness.export.onnx_preprocessing import PIXELS, preprocessing_graph
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

OPSET, IR = 20, 10
"""What graphs are brought to where they are older."""
VIEWS = {"expr": "expression", "va": "valence_arousal", "au": "action_units"}
"""What an output block of a task is called in an exported file."""
SCORES, BACKBONE = "scores", "backbone_"


def backbone_graph(network: ExportNetwork, embedding: bool) -> ModelProto:
    """float32 `pixels` [N, 3, S, S], normalised -> what `ExportNetwork.outputs` names, and a view of each output block.

    BackboneError where the backbone cannot be written as ONNX; InputError where it is an ONNX file that takes a fixed
    number of crops, or one of a version that cannot be brought up to date.
    """
    from onnx import compose

    model = _backbone_model(network)
    if network.heads is not None:
        heads = _convert_opset(_heads_model(network), _opset(model))
        needed = [port.name for port in heads.graph.input]
        given = {"embeddings": EMBEDDING, SCORES: SCORES}
        _prune_to_outputs(model, [EMBEDDING] * ("embeddings" in needed or embedding) + [SCORES] * (SCORES in needed))
        model = compose.merge_models(
            model, heads, io_map=[(given[name], name) for name in needed], outputs=list(network.outputs(embedding))
        )
        _merge_opset_imports(model)
        _add_views(model, network)
    _prune_to_outputs(model, _output_names(network, embedding))
    return model


def full_graph(network: ExportNetwork, model: ModelProto, resizing: bool) -> ModelProto:
    """The backbone graph in any precision behind the preprocessing graph (`resizing`: see `preprocessing_graph`)."""
    from onnx import helper

    before = helper.make_model(
        preprocessing_graph(network.backbone.spec.preprocessing, resizing),
        ir_version=model.ir_version,
        opset_imports=model.opset_import,
    )
    joined = helper.make_graph(
        [*before.graph.node, *model.graph.node],
        "framelight",
        before.graph.input,
        model.graph.output,
        [*before.graph.initializer, *model.graph.initializer],
    )
    return helper.make_model(
        joined,
        ir_version=model.ir_version,
        opset_imports=model.opset_import,
        functions=model.functions,
        producer_name="framelight",
    )


def _output_names(network: ExportNetwork, embedding: bool) -> list[str]:
    views = [] if network.task is None else [VIEWS[output.name] for output in network.task.outputs]
    names = list(network.outputs(embedding))
    return names[:1] + views + names[1:] if views else names


def _backbone_model(network: ExportNetwork) -> ModelProto:
    """Its file with the names of this module: `pixels` in, `embedding` and `scores` out."""
    import onnx
    from onnx import compose

    with tempfile.TemporaryDirectory() as aside:
        kept: OnnxNetwork = get_or_export_onnx(network.backbone, network.engines or Path(aside))
        ports, model = kept.ports, onnx.load(kept.path)
    if ports.batch:
        raise InputError(
            f"{network.backbone.label} takes {ports.batch} crops at a time, no more and no fewer; export "
            "its own file again with a batch of any size, and import that"
        )
    model = compose.add_prefix(_convert_opset(model, max(OPSET, _opset(model))), BACKBONE)
    _rename(
        model, {BACKBONE + ports.input: PIXELS, BACKBONE + ports.embedding: EMBEDDING, BACKBONE + ports.scores: SCORES}
    )
    return model


def _heads_model(network: ExportNetwork) -> ModelProto:
    """Inputs `embeddings` and `scores`, those that are read; output `outputs`."""
    backbone = network.backbone
    widths = {"embeddings": backbone.embedding_width, SCORES: backbone.score_width}
    read = [name for name in widths if any(name in features.split("+") for features in network.heads.features)]

    class Reading(torch.nn.Module):
        """The exporter wants no input that nothing reads."""

        def __init__(self) -> None:
            super().__init__()
            self.heads = network.heads

        def forward(self, *given: torch.Tensor) -> torch.Tensor:
            known = dict(zip(read, given))
            absent = given[0][:, :0]
            return self.heads(known.get("embeddings", absent), known.get(SCORES, absent))

    try:
        with torch.no_grad(), suppress_exporter_output():
            program = torch.onnx.export(
                Reading().eval(),
                tuple(torch.zeros(2, widths[name]) for name in read),
                dynamo=True,
                verbose=False,
                dynamic_shapes=(tuple({0: torch.export.Dim("batch")} for _ in read),),
                input_names=read,
                output_names=[OUTPUTS],
            )
    except Exception as error:  # the exporter's own exceptions have no common base
        raise unexportable_error(backbone, "onnx, with its heads", error) from error
    return program.model_proto


def _opset(model: ModelProto) -> int:
    return max(own.version for own in model.opset_import if own.domain in ("", "ai.onnx"))


def _convert_opset(model: ModelProto, opset: int) -> ModelProto:
    from onnx import version_converter

    if _opset(model) != opset:
        try:
            model = version_converter.convert_version(model, opset)
        except Exception as error:  # the converter's own exceptions have no common base
            raise InputError(
                f"an ONNX graph of opset {_opset(model)} cannot be brought to opset {opset} ({error}); "
                f"export the backbone's own file with opset {opset}, and import that"
            ) from error
    model.ir_version = IR
    return model


def _merge_opset_imports(model: ModelProto) -> None:
    """Merging names some twice; quantisers refuse that."""
    from onnx import helper

    versions = {own.domain: own.version for own in model.opset_import}
    del model.opset_import[:]
    model.opset_import.extend(helper.make_opsetid(domain, version) for domain, version in versions.items())


def _rename(model: ModelProto, names: dict[str, str]) -> None:
    for node in model.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    for port in (*model.graph.input, *model.graph.output, *model.graph.value_info):
        port.name = names.get(port.name, port.name)


def _add_views(model: ModelProto, network: ExportNetwork) -> None:
    from onnx import TensorProto, helper, numpy_helper

    for output, columns in zip(network.task.outputs, network.task.slices().values()):
        view, ends = VIEWS[output.name], (f"{VIEWS[output.name]}_from", f"{VIEWS[output.name]}_to")
        for name, value in zip(ends, (columns.start, columns.stop)):
            model.graph.initializer.append(numpy_helper.from_array(torch.tensor([value]).numpy(), name))
        if "view_axis" not in {tensor.name for tensor in model.graph.initializer}:
            model.graph.initializer.append(numpy_helper.from_array(torch.tensor([1]).numpy(), "view_axis"))
        model.graph.node.append(helper.make_node("Slice", [OUTPUTS, *ends, "view_axis"], [view], name=view))
        model.graph.output.append(
            helper.make_tensor_value_info(view, TensorProto.FLOAT, ["batch", len(output.columns)])
        )


def _prune_to_outputs(model: ModelProto, outputs: list[str]) -> None:
    """These outputs alone, in this order, and the nodes and tensors that they follow from."""
    ports = {port.name: port for port in model.graph.output}
    kept = [ports[name] for name in outputs]
    del model.graph.output[:]
    model.graph.output.extend(kept)
    wanted, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if wanted.intersection(node.output):
            nodes.append(node)
            wanted.update(_inputs_of(node))
    del model.graph.node[:]
    model.graph.node.extend(reversed(nodes))
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in wanted]
    del model.graph.initializer[:]
    model.graph.initializer.extend(tensors)


def _inputs_of(node: NodeProto) -> set[str]:
    """What a node reads, in the graphs within it too."""
    inner = [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]
    return set(node.input).union(*(_inputs_of(own) for graph in inner for own in graph.node))
