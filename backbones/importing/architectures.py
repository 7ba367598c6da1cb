"""Architectures that weights may belong to: names and shapes of their tensors, and the path of their classifier."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn

from backbones import catalogue
from backbones.errors import BackboneError, unknown_name_error
from backbones.importing.allowed_globals import GlobalName
from backbones.loading import construct

COMMON_TIMM_MODELS = (
    "mobilevitv2_150",
    "tf_efficientnet_b1",
    "tf_efficientnet_b3",
    "tf_efficientnet_b4",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "tf_efficientnetv2_b0",
    "tf_efficientnet_lite0",
    "efficientnet_lite0",
    "rexnet_100",
    "rexnet_130",
    "rexnet_150",
    "rexnet_200",
    "mobilenetv2_100",
    "mobilenetv3_small_100",
    "tf_mobilenetv3_large_100",
    "mobilenetv4_conv_medium",
    "mobilevit_xxs",
    "mobilevit_xs",
    "mobilevit_s",
    "mobilevitv2_050",
    "mobilevitv2_075",
    "mobilevitv2_100",
    "mobilevitv2_125",
    "mobilevitv2_175",
    "mobilevitv2_200",
    "resnet18",
    "resnet34",
    "resnet50",
)
"""Small timm models that are likely for emotion weights, the most likely first."""

BATCH_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class ArchitectureSpec:
    """Architecture without weights.

    Attributes
    ----------
    name : str
        A catalogue name or `timm:<model>`.
    network : nn.Module
        The network on the meta device.
    classifier : str
        Path of the last linear layer of its classifier.
    """

    name: str
    network: nn.Module
    classifier: str

    @property
    def is_timm(self) -> bool:
        """Whether the network is implemented by timm."""
        return type(self.network).__module__.startswith("timm.")

    def expected_state(self, columns: int) -> dict[str, Tensor]:
        """Return the expected state dict, without values.

        Parameters
        ----------
        columns : int
            Columns of the classifier; 0 for none.

        Returns
        -------
        dict of str to Tensor
            Tensors on the meta device.
        """
        state = dict(self.network.state_dict())
        head = {name: tensor for name, tensor in state.items() if name.startswith(f"{self.classifier}.")}
        for name, tensor in head.items():
            del state[name]
            if columns:
                state[name] = tensor.new_empty((columns, *tensor.shape[1:]))
        return state

    def rename_tensors(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Rename the tensors of a state dict to the current names of the architecture.

        The tensors of a classifier in an `nn.Sequential` are renamed, and the counters of batch normalization, which
        old files lack, are added.

        Parameters
        ----------
        state : mapping of str to Tensor
            A state dict.

        Returns
        -------
        dict of str to Tensor
            The adapted state dict.
        """
        wrapped = re.compile(rf"{re.escape(self.classifier)}\.\d+\.(weight|bias)")
        result: dict[str, Tensor] = {}
        for name, tensor in state.items():
            match = wrapped.fullmatch(name)
            new_name = f"{self.classifier}.{match[1]}" if match else name
            result[name if new_name in result or (match and new_name in state) else new_name] = tensor
        for name, tensor in self.network.state_dict().items():
            if name.endswith(f".{BATCH_COUNTER}") and name not in result:
                result[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
        return result

    def classifier_width(self, state: Mapping[str, Tensor]) -> int:
        """Return the number of classifier columns of a state dict with the current names; 0 without a classifier."""
        weight = state.get(f"{self.classifier}.weight")
        return 0 if weight is None or weight.ndim < 1 else len(weight)

    def count_mismatches(self, state: Mapping[str, Tensor]) -> int:
        """Count the tensors that are missing, unexpected or of another shape."""
        expected_state = self.expected_state(self.classifier_width(state))
        expected = {name: tuple(tensor.shape) for name, tensor in expected_state.items()}
        shapes = {name: tuple(tensor.shape) for name, tensor in state.items()}
        return sum(expected.get(name) != shapes.get(name) for name in {*expected, *shapes})

    def convert_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Convert a state dict with the function `checkpoint_filter_fn` of the Python module that defines the network.

        Parameters
        ----------
        state : mapping of str to Tensor
            A state dict, possibly of another architecture.

        Returns
        -------
        dict of str to Tensor
            The converted state dict; `state` unchanged if there is no such function or it fails.
        """
        convert = getattr(sys.modules[type(self.network).__module__], "checkpoint_filter_fn", None)
        if convert is None:
            return dict(state)
        try:
            return dict(convert(dict(state), self.network))
        except Exception:  # the function may fail in any way on files of other architectures
            return dict(state)


@cache
def architecture_spec(name: str) -> ArchitectureSpec:
    """Return an architecture without weights.

    Parameters
    ----------
    name : str
        A catalogue name or `timm:<model>`.

    Returns
    -------
    ArchitectureSpec
        The architecture; the result is cached.

    Raises
    ------
    BackboneError
        If the name is unknown or the network has no linear classifier.
    """
    with torch.device("meta"):
        network: Any = construct(catalogue.spec(name), 2)
    linear = [layer for layer in network.get_classifier().modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise BackboneError(f"{name} has no linear classifier", "choose another architecture")
    path = next(path for path, layer in network.named_modules() if layer is linear[-1])
    return ArchitectureSpec(name, network, path)


def canonical_name(architecture: str) -> str:
    """Return the name of an architecture as stored in cards.

    Parameters
    ----------
    architecture : str
        A catalogue name, or a timm model with or without `timm:` and a weights tag. Deprecated timm names, in which a
        suffix denotes the weights (`tf_efficientnet_b0_ns`), are accepted too.

    Returns
    -------
    str
        The catalogue name if there is one, else `timm:<model>`.

    Raises
    ------
    BackboneError
        If the name is unknown.
    """
    if architecture in catalogue.SPECS:
        return architecture
    import timm

    timm_models = set(timm.list_models())
    model = architecture.removeprefix(catalogue.TIMM_PREFIX).partition(".")[0]
    words = model.split("_") if timm.is_model(model) else []
    shorter = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    current_model = next((name for name in shorter if name in timm_models), None)
    if current_model is None:
        raise unknown_name_error("architecture", architecture, [*catalogue.SPECS, *timm_models])
    return _catalogue_name(current_model)


def is_timm_model(model: str) -> bool:
    """Return whether timm has a model of this name."""
    import timm

    return bool(timm.is_model(model))


def _catalogue_name(model: str) -> str:
    constructor = f"{catalogue.TIMM_PREFIX}{model}"
    names = (spec.name for spec in catalogue.SPECS.values() if spec.constructor == constructor)
    return next(names, constructor)


def likely_architectures() -> list[str]:
    """Return the architectures to try for weights of unknown architecture, the most likely first."""
    names = [name for name in catalogue.SPECS if name != catalogue.VGGFACE.name]
    return list(dict.fromkeys([*names, *map(_catalogue_name, COMMON_TIMM_MODELS)]))


def related_architectures(kinds: Iterable[GlobalName]) -> list[str]:
    """Return all timm models that are defined in the modules of the given layer classes."""
    import timm

    families = dict.fromkeys(kind.module.split(".")[2] for kind in kinds if kind.module.startswith("timm.models."))
    return [_catalogue_name(model) for family in families for model in timm.list_models(module=family)]
