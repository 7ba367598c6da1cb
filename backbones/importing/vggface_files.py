"""Weights of VGG-16 faces in the two layouts that circulate: `vgg_face_dag` and torchvision's VGG-16.

`vgg_face_dag` (Albanie's conversion of the published model) calls its layers `conv1_1` to `conv5_3`, `fc6` to `fc8`.
torchvision numbers them inside `features` and `classifier`, counting activations, pooling and dropout too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from backbones.backbone import Backbone
from backbones.catalogue import VGGFACE
from backbones.checkpoint import check_state_dict
from backbones.importing.class_names import resolve_score_labels
from backbones.vggface import WIDTHS, VGGFace

logger = logging.getLogger(__name__)

DENSE_LAYERS = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
LAYOUT_HINT = (
    "layouts that are read: vgg_face_dag (conv1_1.weight ... fc8.bias) and torchvision's vgg16 "
    "(features.0.weight ... classifier.6.bias)"
)


def is_vggface(state: Mapping[str, Tensor]) -> bool:
    """Whether a state dict is meant as a VGG-16 of either layout, complete or not."""
    names = set(state)
    return _is_dag_layout(names) or {"features.0.weight", "classifier.0.weight"} <= names


def build_vggface(state: Mapping[str, Tensor], path: Path, classes: Sequence[str] | None = None) -> Backbone:
    """The VGGFace backbone of a state dict read from `path`, in eval mode; its tensors are used, not copied.

    The embedding is fc7 after its ReLU. The classifier is as wide as the file's; its columns are unnamed identities
    unless `classes` names them all. BackboneError lists the first tensors that are missing, surplus or misshapen.
    """
    path = Path(path)
    layers = _layer_names(set(state))
    ours = _expected_state(state, layers)
    theirs = {f"{layers[layer]}.{kind}": tensor for (layer, kind), tensor in _split_parameter_names(ours)}
    check_state_dict(state, theirs, str(path), "a VGG-16 face network", LAYOUT_HINT)
    names = resolve_score_labels(len(ours["fc8.bias"]), classes, path) if classes else ()
    with torch.device("meta"):
        network = VGGFace(len(ours["fc8.bias"]))
    named = {
        f"{layer}.{kind}": state[f"{layers[layer]}.{kind}"].to(torch.float32)
        for (layer, kind), _ in _split_parameter_names(ours)
    }
    network.load_state_dict(named, assign=True)
    spec = replace(VGGFACE, score_width=len(ours["fc8.bias"]))
    return Backbone(network, spec, f"file {path.name}", f"vggface@{path}", "vggface", names).eval()


def log_assumed_pixels(state: Mapping[str, Tensor]) -> None:
    """Log where the layout alone decides the pixels: torchvision's own ImageNet weights have the same tensors."""
    if not _is_dag_layout(set(state)):
        given = VGGFACE.preprocessing
        logger.info(
            f"taken for VGGFace by torchvision's layout alone: pixels 0..{given.value_range:g} minus "
            f"{given.mean}; torchvision's own ImageNet weights want other pixels, and are the backbone "
            "timm:vgg16@tv_in1k"
        )


def _is_dag_layout(names: set[str]) -> bool:
    return bool({"conv1_1.weight", "fc6.weight"} & names)


def _layer_names(names: set[str]) -> dict[str, str]:
    """Our layer names -> the file's, in order."""
    convolutions = [
        f"conv{block}_{index}" for block, (_, count) in enumerate(WIDTHS, start=1) for index in range(1, count + 1)
    ]
    if _is_dag_layout(names):
        return {name: name for name in [*convolutions, *DENSE_LAYERS]}
    numbers, number = [], 0
    for _, count in WIDTHS:
        numbers += range(number, number + 2 * count, 2)
        number += 2 * count + 1
    return {name: f"features.{number}" for name, number in zip(convolutions, numbers)} | DENSE_LAYERS


def _expected_state(state: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    """Shapes of our tensors, with as many classes as the file's last bias has (2622 where it has none)."""
    bias = state.get(f"{layers['fc8']}.bias")
    count = len(bias) if bias is not None and bias.ndim == 1 and len(bias) else VGGFACE.classes
    with torch.device("meta"):
        return dict(VGGFace(count).state_dict())


def _split_parameter_names(state: Mapping[str, Tensor]) -> list[tuple[tuple[str, str], Tensor]]:
    return [(tuple(name.rsplit(".", 1)), tensor) for name, tensor in state.items()]
