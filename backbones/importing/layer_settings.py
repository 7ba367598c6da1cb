"""Compare the layer settings of a pickled network with the current implementation of the same architecture.

Two networks whose tensors have the same names and shapes may still compute different outputs.
"""

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
    """Describe the settings of a pickled network that differ from a current network.

    Parameters
    ----------
    tree : ModuleTree
        The pickled network.
    network : nn.Module
        The current network with the same tensors.

    Returns
    -------
    list of str
        One description per difference; empty if no compared setting differs.
    """
    differences = []
    for path, module in network.named_modules():
        layer = tree.layers.get(path)
        if layer is not None:
            differences += [f"{path} has {text}" for text in _layer_differences(layer, module)]
    pickled = _activation_names({path: layer.kind.name for path, layer in tree.layers.items()})
    expected = _activation_names({path: type(module).__name__ for path, module in network.named_modules()})
    return differences + [f"it uses {name}" for name in sorted(pickled - expected)]


def unexpected_classifier_layer(tree: ModuleTree, classifier: str) -> str | None:
    """Find a layer that a linear classifier does not contain, such as a softmax.

    Parameters
    ----------
    tree : ModuleTree
        The pickled network.
    classifier : str
        Path of the classifier.

    Returns
    -------
    str or None
        Class name of the layer; None if there is none.
    """
    for path, layer in tree.layers.items():
        if f"{path}.".startswith(f"{classifier}.") and layer.kind.name not in LINEAR_CLASSIFIER_LAYERS:
            return layer.kind.name
    return None


def _layer_differences(layer: Layer, module: nn.Module) -> list[str]:
    convolutions = ("Conv2dSame", "Conv2d")
    pickled_class, current_class = layer.kind.name, type(module).__name__
    if {pickled_class, current_class} == set(convolutions):
        return [f"{pickled_class} where {current_class} is expected"]
    return [
        f"{name} {_format_setting(value)} where {_format_setting(expected)} is expected"
        for name, value, expected in _setting_pairs(layer.settings, module)
        if value != expected
    ]


def _setting_pairs(settings: Mapping[str, Any], module: nn.Module) -> list[tuple[str, Any, Any]]:
    return [
        (name, _collapse_equal(settings[name]), _collapse_equal(getattr(module, name)))
        for name in COMPARED_SETTINGS
        if name in settings and hasattr(module, name)
    ]


def _collapse_equal(value: Any) -> Any:
    """Return the number if a value is a tuple of equal numbers, since layers accept both forms."""
    value = tuple(value) if isinstance(value, (list, tuple)) else value
    return value[0] if isinstance(value, tuple) and len(set(value)) == 1 else value


def _format_setting(value: Any) -> str:
    return printable("x".join(map(str, value)) if isinstance(value, tuple) else str(value), 50)


def _activation_names(kinds: Mapping[str, str]) -> set[str]:
    lowercase = (kind.lower().replace("_", "") for kind in kinds.values())
    names = (name if name in ACTIVATIONS else name.removesuffix("me").removesuffix("jit") for name in lowercase)
    return {ACTIVATIONS[name] for name in names if name in ACTIVATIONS}
