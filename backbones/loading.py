"""From a reference, NAME[@WEIGHTS], to a backbone.

WEIGHTS is `random`, `pretrained`, a timm tag, the name of a trained or imported entry, or the path of a checkpoint
folder (for `vggface` also of a PyTorch state dict). A bare NAME is an entry of that name, else the catalogue's:
pretrained where the spec has a tag, random where it has none.
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
from backbones.errors import BackboneError
from backbones.references import WeightsSource, resolve
from backbones.spec import TIMM_SOURCE, BackboneSpec

SEED = 0


def construct(spec: BackboneSpec, classes: int) -> nn.Module:
    """The network of a spec with fresh weights from torch's present random state."""
    module, _, name = spec.constructor.partition(":")
    if module == "timm":
        from backbones.timm_models import create

        return create(name, classes)
    return getattr(importlib.import_module(module), name)(classes)


def build(name: str, classes: Sequence[str] | None = None, seed: int = SEED) -> Backbone:
    """A backbone with random weights, a pure function of name, classes and seed; classes default to the spec's."""
    spec = catalogue.spec(name)
    labels = spec.score_labels if classes is None else tuple(classes)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = construct(spec, spec.classes if classes is None else len(labels))
    if classes is not None:
        spec = replace(spec, score_width=len(labels))
    return Backbone(network, spec, f"random (seed {seed})", f"{name}@random", f"{name} (random)", labels, True).eval()


def load(reference: str, checkpoints: Path | None = None) -> Backbone:
    """The backbone of a reference, in eval mode, on the CPU; BackboneError that says what to do when it cannot be."""
    source = resolve(reference, checkpoints)
    if source.kind == "random":
        return build(source.name)
    if source.kind == "checkpoint":
        return _load_checkpoint(source, checkpoints)
    if source.kind == "file":
        return _load_file(source)
    return _load_pretrained(source)


def _load_checkpoint(source: WeightsSource, checkpoints: Path | None) -> Backbone:
    card = checkpoint.read_card(source.folder)
    if checkpoint.is_onnx(card):
        return _load_onnx(source, card, checkpoints)
    state = checkpoint.read_state(source.folder, card)
    spec = checkpoint.spec_from_card(card)
    if source.name:
        spec = replace(spec, name=source.name, constructor=catalogue.constructor(source.name))
    network = _construct_preserving_rng(spec, int(card["score_width"]))
    checkpoint.load_weights(network, state, str(source.folder), spec.name)
    name = str(card["name"])
    return Backbone(
        network, spec, f"checkpoint {name}", source.reference, name, spec.score_labels, False, checkpoints
    ).eval()


def _load_onnx(source: WeightsSource, card: Mapping[str, Any], checkpoints: Path | None) -> Backbone:
    name = str(card["name"])
    if source.name:
        raise BackboneError(
            f"{source.reference}: {name} runs through ONNX Runtime, it is not built as {source.name}",
            f"use {source.reference.partition('@')[2]} alone",
        )
    spec = checkpoint.spec_from_card(card)
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
    # The tag's own classifier is kept: its columns (ImageNet classes as a rule) name no emotion.
    spec = replace(spec, score_width=None, source=f"{TIMM_SOURCE}{model}.{source.tag}", tag=source.tag)
    label = source.name if source.tag == catalogue.spec(source.name).tag else f"{source.name}@{source.tag}"
    return Backbone(network, spec, f"timm {source.tag}", source.reference, label, ()).eval()


def _load_file(source: WeightsSource) -> Backbone:
    from backbones.importing.torch_files import read_torch_file
    from backbones.importing.vggface_files import build_vggface

    if source.name != "vggface":
        raise BackboneError(
            f"{source.folder} is a file, and {source.name} is read from checkpoint folders",
            "name the folder that holds card.json, or import the file: framelight backbones import",
        )
    return build_vggface(read_torch_file(source.folder).state, source.folder)


def _construct_preserving_rng(spec: BackboneSpec, classes: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        return construct(spec, classes)
