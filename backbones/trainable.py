"""Convert backbones that run through ONNX Runtime to torch, so that they can be trained, and back."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import torch

from backbones.backbone import Backbone
from backbones.errors import BackboneError, printable
from backbones.onnx_graph import graph_of_model, read_model
from backbones.onnx_macs import count_macs
from backbones.onnx_network import OnnxNetwork
from backbones.onnx_torch import TorchGraph

TOLERANCE = 1e-3
"""Largest difference between the embeddings of torch and ONNX Runtime, relative to the largest absolute value."""


def make_trainable(backbone: Backbone) -> Backbone:
    """Convert a backbone that runs through ONNX Runtime to torch; others are returned unchanged.

    Parameters
    ----------
    backbone : Backbone
        The backbone.

    Returns
    -------
    Backbone
        A backbone with the same embeddings, without scores, that can be trained and saved.

    Raises
    ------
    BackboneError
        If the graph has operators that cannot be trained, or does not compute the same embeddings in torch.

    Examples
    --------
    >>> import backbones
    >>> backbones.make_trainable(backbones.load("tiny_resnet@random")).trainable
    True
    """
    network = backbone.network
    if not isinstance(network, OnnxNetwork):
        return backbone
    try:
        graph = TorchGraph(read_model(network.path)[0], network.ports, network.widths[0], network.path)
    except BackboneError:
        raise
    except (TypeError, ValueError, KeyError) as error:
        raise _not_convertible(network.path, printable(str(error))) from error
    _require_parity(graph.eval(), network, backbone.spec.input_size)
    spec = replace(backbone.spec, score_labels=(), score_width=0)
    return Backbone(
        graph, spec, backbone.weights, backbone.reference, backbone.label, (), False, backbone.checkpoints
    ).eval()


@torch.inference_mode()
def _require_parity(graph: TorchGraph, network: OnnxNetwork, size: int) -> None:
    pixels = torch.randn((2, 3, size, size), generator=torch.Generator().manual_seed(0))
    expected = network.forward_head(network.forward_features(pixels), pre_logits=True)
    try:
        embeddings = graph.forward_features(pixels)
    except (RuntimeError, TypeError, ValueError, KeyError, IndexError, NotImplementedError) as error:
        raise _not_convertible(network.path, printable(str(error).partition("\n")[0])) from error
    if embeddings.shape != expected.shape:
        raise _not_convertible(network.path, f"it computes {tuple(embeddings.shape)} for two crops")
    difference = float((embeddings - expected).abs().max() / expected.abs().max().clamp(min=1e-6))
    if not difference <= TOLERANCE:
        raise _not_convertible(network.path, f"its embeddings differ by {difference:.2g} from those of ONNX Runtime")


def _not_convertible(path: Path, reason: str) -> BackboneError:
    return BackboneError(
        f"{path} cannot be trained: its graph does not run in torch for two crops ({reason})",
        "train a head on its features, or export the network again for any number of crops",
    )


def store_as_onnx(backbone: Backbone, path: Path) -> Backbone:
    """Write a trained graph to an ONNX file.

    Parameters
    ----------
    backbone : Backbone
        A backbone whose network is a `TorchGraph`.
    path : Path
        The file to write.

    Returns
    -------
    Backbone
        The backbone with the written file as its network.
    """
    graph: TorchGraph = backbone.network
    model, ports = graph.to_model()
    content = model.SerializeToString(deterministic=True)
    path.write_bytes(content)
    network = OnnxNetwork(
        path,
        ports,
        (backbone.embedding_width, backbone.score_width),
        graph_of_model(model).parameters,
        hashlib.sha256(content).hexdigest(),
        count_macs(model, ports.input),
    )
    return Backbone(
        network, backbone.spec, backbone.weights, backbone.reference, backbone.label, backbone.score_labels
    ).eval()
