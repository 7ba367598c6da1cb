"""Read weights of VGG-16 face networks in the layouts `vgg_face_dag` and torchvision's VGG-16.

`vgg_face_dag` (Albanie's conversion of the published model) names its layers `conv1_1` to `conv5_3` and `fc6` to `fc8`.
torchvision numbers them in `features` and `classifier`, including activations, pooling and dropout.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from backbones.backbone import Backbone
from backbones.catalogue import VGGFACE
from backbones.importing.class_names import resolve_score_labels
from backbones.importing.options import ImportOptions
from backbones.state_dict import check_state_dict
from backbones.vggface import WIDTHS, VGGFace

DENSE_LAYERS = {"fc6": "classifier.0", "fc7": "classifier.3", "fc8": "classifier.6"}
LAYOUT_HINT = (
    "supported layouts: vgg_face_dag (conv1_1.weight ... fc8.bias) and torchvision's vgg16 "
    "(features.0.weight ... classifier.6.bias)"
)


def is_vggface(state: Mapping[str, Tensor]) -> bool:
    """Return whether a state dict, possibly incomplete, has one of the two layouts of VGG-16."""
    names = set(state)
    return _is_dag_layout(names) or {"features.0.weight", "classifier.0.weight"} <= names


def build_vggface(state: Mapping[str, Tensor], path: Path, options: ImportOptions | None = None) -> Backbone:
    """Build the VGGFace backbone of a state dict.

    Parameters
    ----------
    state : mapping of str to Tensor
        The state dict, whose tensors are used without copying if they are float32.
    path : Path
        The file that the state dict was read from.
    options : ImportOptions, optional
        Its `classes` name the score columns; by default they are unnamed identities.

    Returns
    -------
    Backbone
        The backbone, in eval mode.

    Raises
    ------
    BackboneError
        If tensors are missing, unexpected or of another shape, or if the class names are invalid or do not match the
        number of columns.
    """
    path = Path(path)
    layers = _layer_names(set(state))
    expected = _expected_state(state, layers)
    width = len(expected["fc8.bias"])
    file_names = {name: f"{layers[layer]}.{kind}" for name, layer, kind in map(_split_parameter_name, expected)}
    expected_in_file = {file_names[name]: tensor for name, tensor in expected.items()}
    check_state_dict(state, expected_in_file, str(path), "a VGG-16 face network", LAYOUT_HINT)
    names = resolve_score_labels(width, options, path) if options and options.classes else ()
    with torch.device("meta"):
        network = VGGFace(width)
    network.load_state_dict({name: state[file_names[name]].to(torch.float32) for name in expected}, assign=True)
    spec = replace(VGGFACE, score_width=width)
    return Backbone(network, spec, f"file {path.name}", f"vggface@{path}", "vggface", names).eval()


def _is_dag_layout(names: set[str]) -> bool:
    return bool({"conv1_1.weight", "fc6.weight"} & names)


def _layer_names(names: set[str]) -> dict[str, str]:
    """Map the layer names of `VGGFace` to those of the file, in order."""
    convolutions = [
        f"conv{block}_{index}" for block, (_, count) in enumerate(WIDTHS, start=1) for index in range(1, count + 1)
    ]
    if _is_dag_layout(names):
        return {name: name for name in [*convolutions, *DENSE_LAYERS]}
    numbers: list[int] = []
    number = 0
    for _, count in WIDTHS:
        numbers += range(number, number + 2 * count, 2)
        number += 2 * count + 1
    return {name: f"features.{number}" for name, number in zip(convolutions, numbers)} | DENSE_LAYERS


def _expected_state(state: Mapping[str, Tensor], layers: Mapping[str, str]) -> dict[str, Tensor]:
    """Return the state dict of `VGGFace` without values, with as many classes as `state` has (2622 if unknown)."""
    bias = state.get(f"{layers['fc8']}.bias")
    count = len(bias) if bias is not None and bias.ndim == 1 and len(bias) else VGGFACE.classes
    with torch.device("meta"):
        return dict(VGGFace(count).state_dict())


def _split_parameter_name(name: str) -> tuple[str, str, str]:
    layer, _, kind = name.rpartition(".")
    return name, layer, kind
