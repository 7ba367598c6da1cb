"""Whether a pickled network computes what today's of the same tensors does: names and shapes alone do not tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from backbones.errors import printable
from backbones.importing.module_tree import Layer, ModuleTree

COMPARED_SETTINGS = (
    "kernel_size",
    "stride",
    "padding",
    "dilation",
    "groups",
    "padding_mode",
    "eps",
    "num_groups",
    "num_heads",
    "normalized_shape",
    "pool_type",
    "patch_size",
    "negative_slope",
    "ceil_mode",
    "approximate",
)
ACTIVATIONS = {
    "silu": "SiLU",
    "swish": "SiLU",
    "relu": "ReLU",
    "relu6": "ReLU6",
    "hardswish": "Hardswish",
    "gelu": "GELU",
    "mish": "Mish",
    "prelu": "PReLU",
    "elu": "ELU",
    "leakyrelu": "LeakyReLU",
    "celu": "CELU",
    "selu": "SELU",
    "hardmish": "HardMish",
    "quickgelu": "QuickGELU",
}
LINEAR_CLASSIFIER_LAYERS = {"Linear", "Dropout", "Identity", "Sequential"}


def find_differences(tree: ModuleTree, network: nn.Module) -> list[str]:
    """What a network was set to where today's is set otherwise, in words; empty where they compute the same."""
    found = []
    for path, module in network.named_modules():
        layer = tree.layers.get(path)
        if layer is not None:
            found += [f"{path} has {what}" for what in _layer_differences(layer, module)]
    theirs = _activation_names({path: layer.kind.name for path, layer in tree.layers.items()})
    ours = _activation_names({path: type(module).__name__ for path, module in network.named_modules()})
    return found + [f"it uses {name}" for name in sorted(theirs - ours)]


def unexpected_classifier_layer(tree: ModuleTree, classifier: str) -> str | None:
    """A layer of the classifier that makes its output something else than logits; None where there is none."""
    for path, layer in tree.layers.items():
        if f"{path}.".startswith(f"{classifier}.") and layer.kind.name not in LINEAR_CLASSIFIER_LAYERS:
            return layer.kind.name
    return None


def _layer_differences(layer: Layer, module: nn.Module) -> list[str]:
    same = [name for name in ("Conv2dSame", "Conv2d") if type(module).__name__ == name]
    if same and layer.kind.name in ("Conv2dSame", "Conv2d") and layer.kind.name != same[0]:
        return [f"{layer.kind.name} where {same[0]} is expected"]
    return [
        f"{name} {_format_setting(theirs)} where {_format_setting(ours)} is expected"
        for name, theirs, ours in _setting_pairs(layer.settings, module)
        if theirs != ours
    ]


def _setting_pairs(settings: Mapping[str, Any], module: nn.Module) -> list[tuple[str, Any, Any]]:
    return [
        (name, _collapse_equal(settings[name]), _collapse_equal(getattr(module, name)))
        for name in COMPARED_SETTINGS
        if name in settings and hasattr(module, name)
    ]


def _collapse_equal(value: Any) -> Any:
    """A number for a tuple of equal ones: layers take both."""
    value = tuple(value) if isinstance(value, (list, tuple)) else value
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _format_setting(value: Any) -> str:
    return printable("x".join(map(str, value)) if isinstance(value, tuple) else str(value), 50)


def _activation_names(kinds: Mapping[str, str]) -> set[str]:
    named = (kind.lower().replace("_", "") for kind in kinds.values())
    plain = (name if name in ACTIVATIONS else name.removesuffix("me").removesuffix("jit") for name in named)
    return {ACTIVATIONS[name] for name in plain if name in ACTIVATIONS}
