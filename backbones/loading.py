"""Load backbones from references of the form NAME[@WEIGHTS].

NAME is a catalogue name or `timm:<model>`. WEIGHTS is `random`, `pretrained`, a timm tag, the name of a trained or
imported backbone, or the path of a checkpoint folder (for `vggface`, also the path of a PyTorch state dict). A name
alone means the trained or imported backbone with that name. If there is none, it means the backbone of the catalogue or
of timm: pretrained if its spec has a tag, otherwise random. The path of a checkpoint folder is also accepted alone if
it contains a path separator.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backbones import catalogue, checkpoint
from backbones.backbone import Backbone
from backbones.card import is_onnx, read_card, spec_from_card
from backbones.errors import BackboneError
from backbones.references import WeightsSource, resolve
from backbones.spec import TIMM_SOURCE, BackboneSpec
from backbones.state_dict import load_weights

SEED = 0


def construct(spec: BackboneSpec, classes: int) -> nn.Module:
    """Construct the network of a spec with weights initialized from torch's current random state.

    Parameters
    ----------
    spec : BackboneSpec
        The architecture.
    classes : int
        Columns of its classifier.

    Returns
    -------
    nn.Module
        The network.
    """
    module, _, name = spec.constructor.partition(":")
    if module == "timm":
        from backbones.timm_models import create

        return create(name, classes)
    return getattr(importlib.import_module(module), name)(classes)


def build(name: str, classes: Sequence[str] | None = None, seed: int = SEED) -> Backbone:
    """Build a backbone with random weights, which depend only on the arguments.

    Parameters
    ----------
    name : str
        A catalogue name or `timm:<model>`.
    classes : sequence of str, optional
        Names of the score columns; by default the names in the spec.
    seed : int
        Seed of the initialization.

    Returns
    -------
    Backbone
        The backbone, in eval mode, on the CPU.

    Raises
    ------
    BackboneError
        If the name is unknown.

    Examples
    --------
    >>> import backbones
    >>> backbone = backbones.build("tiny_mobilenet", classes=("calm", "tense"))
    >>> backbone.label, backbone.embedding_width, backbone.score_labels
    ('tiny_mobilenet (random)', 128, ('calm', 'tense'))
    """
    spec = catalogue.spec(name)
    labels = spec.score_labels if classes is None else tuple(classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = construct(spec, spec.classes if classes is None else len(labels))
    if classes is not None:
        spec = replace(spec, score_width=len(labels))
    return Backbone(network, spec, f"random (seed {seed})", f"{name}@random", f"{name} (random)", labels, True).eval()


def load(reference: str, checkpoints: Path | None = None) -> Backbone:
    """Load a backbone.

    Parameters
    ----------
    reference : str
        NAME[@WEIGHTS], see the documentation of this module.
    checkpoints : Path, optional
        Folder of the trained and imported backbones (entries).

    Returns
    -------
    Backbone
        The backbone, in eval mode, on the CPU.

    Raises
    ------
    BackboneError
        If the reference is unknown, or its weights are missing, damaged or cannot be downloaded.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> import backbones
    >>> backbone = backbones.load("tiny_resnet@random")
    >>> crop = np.zeros((80, 64, 3), np.uint8)
    >>> embeddings, scores = backbone(torch.from_numpy(backbones.prepare(crop, backbone.spec))[None])
    >>> embeddings.shape, scores.shape
    (torch.Size([1, 128]), torch.Size([1, 8]))
    """
    source = resolve(reference, checkpoints)
    if source.kind == "random":
        return build(source.name)
    if source.kind == "checkpoint":
        return _load_checkpoint(source, checkpoints)
    if source.kind == "file":
        return _load_file(source)
    return _load_pretrained(source)


def _load_checkpoint(source: WeightsSource, checkpoints: Path | None) -> Backbone:
    card = read_card(source.folder)
    if is_onnx(card):
        return _load_onnx(source, card, checkpoints)
    state = checkpoint.read_state(source.folder, card)
    spec = spec_from_card(card)
    if source.name:
        spec = replace(spec, name=source.name, constructor=catalogue.constructor(source.name))
    network = _construct_preserving_rng(spec, int(card["score_width"]))
    load_weights(network, state, str(source.folder), spec.name)
    name = str(card["name"])
    return Backbone(
        network, spec, f"checkpoint {name}", source.reference, name, spec.score_labels, False, checkpoints
    ).eval()


def _load_onnx(source: WeightsSource, card: Mapping[str, Any], checkpoints: Path | None) -> Backbone:
    name = str(card["name"])
    if source.name:
        raise BackboneError(
            f"{source.reference}: {name} runs through ONNX Runtime and cannot be loaded into {source.name}",
            f"use {source.reference.partition('@')[2]} alone",
        )
    spec = spec_from_card(card)
    return Backbone(
        checkpoint.read_onnx(source.folder, card),
        spec,
        f"checkpoint {name}",
        source.reference,
        name,
        spec.score_labels,
        False,
        checkpoints,
    ).eval()


def _load_pretrained(source: WeightsSource) -> Backbone:
    from backbones.timm_models import create_pretrained

    spec = catalogue.spec(source.name)
    module, _, model = spec.constructor.partition(":")
    if module != "timm":
        raise BackboneError(f"{source.name} has no downloadable weights '{source.tag}'", f"use {source.name}@random")
    network = create_pretrained(model, source.tag)
    # The score columns of the pretrained classifier are usually ImageNet classes, so they get no labels.
    spec = replace(spec, score_width=None, source=f"{TIMM_SOURCE}{model}.{source.tag}", tag=source.tag)
    label = source.name if source.tag == catalogue.spec(source.name).tag else f"{source.name}@{source.tag}"
    return Backbone(network, spec, f"timm {source.tag}", source.reference, label, ()).eval()


def _load_file(source: WeightsSource) -> Backbone:
    from backbones.importing.torch_files import read_torch_file
    from backbones.importing.vggface_files import build_vggface

    if source.name != "vggface":
        raise BackboneError(
            f"{source.folder} is a file, but {source.name} is read from checkpoint folders",
            "give the folder that contains card.json, or import the file: framelight backbones import",
        )
    return build_vggface(read_torch_file(source.folder).state, source.folder)


def _construct_preserving_rng(spec: BackboneSpec, classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        return construct(spec, classes)
