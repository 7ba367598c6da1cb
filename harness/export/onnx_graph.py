"""A run as one ONNX graph: preprocessing, backbone and heads, built separately and merged."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from backbones.engines.onnx_engine import get_or_export_onnx, suppress_exporter_output, unexportable_error
from backbones.onnx_graph import prune_to_outputs
from backbones.onnx_network import OnnxNetwork
from harness.export.network import EMBEDDING, OUTPUTS, ExportNetwork, Heads
from harness.export.onnx_preprocessing import PIXELS, preprocessing_graph
from harness.utils.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

OPSET, IR = 20, 10
"""Minimum ONNX opset, to which older graphs are converted, and IR version of all graphs."""
VIEWS = {"expr": "expression", "va": "valence_arousal", "au": "action_units"}
"""Names in exported files of a task's output blocks, by name of the block in this project."""
SCORES, BACKBONE = "scores", "backbone_"


def backbone_graph(network: ExportNetwork, embedding: bool) -> ModelProto:
    """Build the graph of backbone and heads.

    The graph takes normalized float32 `pixels` of shape (N, 3, S, S), where S is the input size. It returns the arrays
    that `ExportNetwork.outputs` names. In addition, it returns the columns of `outputs` of each block of the task.

    Raises
    ------
    BackboneError
        If the backbone or the heads cannot be converted to ONNX.
    InputError
        If the backbone is an ONNX file with a fixed batch size, or with an opset that cannot be converted.
    """
    from onnx import compose

    model = _backbone_model(network)
    if network.heads is not None:
        heads = _convert_opset(_heads_model(network), _opset(model))
        inputs = [port.name for port in heads.graph.input]
        sources = {"embeddings": EMBEDDING, SCORES: SCORES}
        prune_to_outputs(model, [EMBEDDING] * ("embeddings" in inputs or embedding) + [SCORES] * (SCORES in inputs))
        model = compose.merge_models(
            model, heads, io_map=[(sources[name], name) for name in inputs], outputs=list(network.outputs(embedding))
        )
        _merge_opset_imports(model)
        _add_views(model, network)
    prune_to_outputs(model, _output_names(network, embedding))
    return model


def full_graph(network: ExportNetwork, model: ModelProto, resizing: bool) -> ModelProto:
    """Put the preprocessing graph before a backbone graph; for `resizing` see `preprocessing_graph`."""
    from onnx import helper

    before = helper.make_model(
        preprocessing_graph(network.backbone.spec.preprocessing, resizing),
        ir_version=model.ir_version,
        opset_imports=model.opset_import,
    )
    graph = helper.make_graph(
        [*before.graph.node, *model.graph.node],
        "framelight",
        before.graph.input,
        model.graph.output,
        [*before.graph.initializer, *model.graph.initializer],
    )
    return helper.make_model(
        graph,
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
    """Convert the backbone, with input `pixels` and outputs `embedding` and `scores`."""
    import onnx
    from onnx import compose

    with tempfile.TemporaryDirectory() as temp_dir:
        exported: OnnxNetwork = get_or_export_onnx(network.backbone, network.engines or Path(temp_dir))
        ports, model = exported.ports, onnx.load(exported.path)
    if ports.batch:
        raise InputError(
            f"{network.backbone.label} has a fixed batch size of {ports.batch}; convert the original model again "
            "with a dynamic batch size and import that file"
        )
    model = compose.add_prefix(_convert_opset(model, max(OPSET, _opset(model))), BACKBONE)
    names = {ports.input: PIXELS, ports.embedding: EMBEDDING, **({ports.scores: SCORES} if ports.scores else {})}
    _rename(model, {BACKBONE + name: new_name for name, new_name in names.items()})
    return model


def _heads_model(network: ExportNetwork) -> ModelProto:
    """Convert the heads to a graph; its inputs are the features that they read, its output is `outputs`."""
    backbone, heads = network.backbone, network.heads
    assert heads is not None
    widths = {"embeddings": backbone.embedding_width, SCORES: backbone.score_width}
    inputs = [name for name in widths if any(name in features.split("+") for features in heads.features)]

    class Reading(torch.nn.Module):
        """Heads that take only the arrays that they use; the exporter rejects unused inputs."""

        def __init__(self, heads: Heads) -> None:
            super().__init__()
            self.heads = heads

        def forward(self, *arrays: torch.Tensor) -> torch.Tensor:
            by_name = dict(zip(inputs, arrays))
            unused = arrays[0][:, :0]
            return self.heads(by_name.get("embeddings", unused), by_name.get(SCORES, unused))

    try:
        with torch.no_grad(), suppress_exporter_output():
            program = torch.onnx.export(
                Reading(heads).eval(),
                tuple(torch.zeros(2, widths[name]) for name in inputs),
                dynamo=True,
                verbose=False,
                dynamic_shapes=(tuple({0: torch.export.Dim("batch")} for _ in inputs),),
                input_names=inputs,
                output_names=[OUTPUTS],
            )
    except Exception as error:  # the exporter's own exceptions have no common base
        raise unexportable_error(backbone, "onnx, with its heads", error) from error
    assert program is not None
    return program.model_proto


def _opset(model: ModelProto) -> int:
    return max(opset.version for opset in model.opset_import if opset.domain in ("", "ai.onnx"))


def _convert_opset(model: ModelProto, opset: int) -> ModelProto:
    from onnx import version_converter

    if _opset(model) != opset:
        try:
            model = version_converter.convert_version(model, opset)
        except Exception as error:  # the converter's own exceptions have no common base
            raise InputError(
                f"an ONNX graph of opset {_opset(model)} cannot be converted to opset {opset} ({error}); "
                f"convert the original model again with opset {opset} and import that file"
            ) from error
    model.ir_version = IR
    return model


def _merge_opset_imports(model: ModelProto) -> None:
    """Remove the duplicate opset imports of a merged graph, which quantizers reject."""
    from onnx import helper

    versions = {opset.domain: opset.version for opset in model.opset_import}
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

    task = network.task
    assert task is not None
    for output, columns in zip(task.outputs, task.slices().values()):
        view, ends = VIEWS[output.name], (f"{VIEWS[output.name]}_from", f"{VIEWS[output.name]}_to")
        for name, value in zip(ends, (columns.start, columns.stop)):
            model.graph.initializer.append(numpy_helper.from_array(torch.tensor([value]).numpy(), name))
        if "view_axis" not in {tensor.name for tensor in model.graph.initializer}:
            model.graph.initializer.append(numpy_helper.from_array(torch.tensor([1]).numpy(), "view_axis"))
        model.graph.node.append(helper.make_node("Slice", [OUTPUTS, *ends, "view_axis"], [view], name=view))
        model.graph.output.append(
            helper.make_tensor_value_info(view, TensorProto.FLOAT, ["batch", len(output.columns)])
        )
