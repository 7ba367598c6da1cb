"""Specifications of architectures: names and shapes of their tensors, and where their classifier is."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache

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
"""timm's light networks that emotion weights are likely to be of, the likeliest first."""

BATCH_COUNTER = "num_batches_tracked"


@dataclass(frozen=True)
class ArchitectureSpec:
    """An architecture with no weights. classifier: path of its last linear layer; `network` lies on no device."""

    name: str
    network: nn.Module
    classifier: str

    @property
    def is_timm(self) -> bool:
        return type(self.network).__module__.startswith("timm.")

    def expected_state(self, columns: int) -> dict[str, Tensor]:
        """Its tensors, without values, for a classifier of that many columns; 0: without one."""
        state = dict(self.network.state_dict())
        head = {name: tensor for name, tensor in state.items() if name.startswith(f"{self.classifier}.")}
        for name, tensor in head.items():
            del state[name]
            if columns:
                state[name] = tensor.new_empty((columns, *tensor.shape[1:]))
        return state

    def rename_tensors(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors called as here: a classifier wrapped in a Sequential, counters that old files lack."""
        wrapped = re.compile(rf"{re.escape(self.classifier)}\.\d+\.(weight|bias)")
        result: dict[str, Tensor] = {}
        for name, tensor in state.items():
            match = wrapped.fullmatch(name)
            name_here = f"{self.classifier}.{match[1]}" if match else name
            result[name if name_here in result or (match and name_here in state) else name_here] = tensor
        for name, tensor in self.network.state_dict().items():
            if name.endswith(f".{BATCH_COUNTER}") and name not in result:
                result[name] = torch.zeros(tensor.shape, dtype=tensor.dtype)
        return result

    def classifier_width(self, state: Mapping[str, Tensor]) -> int:
        """Width of the classifier of a state that is called as here; 0 where it has none."""
        weight = state.get(f"{self.classifier}.weight")
        return 0 if weight is None or weight.ndim < 1 else len(weight)

    def count_mismatches(self, state: Mapping[str, Tensor]) -> int:
        """How many tensors are missing, surplus or of another shape."""
        expected = self.expected_state(self.classifier_width(state))
        shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
        ours = {name: tuple(tensor.shape) for name, tensor in state.items()}
        return sum(shapes.get(name) != ours.get(name) for name in {*shapes, *ours})

    def convert_state(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The tensors as the architecture's own conversion of other checkpoints, timm's as a rule, calls them."""
        convert = getattr(sys.modules[type(self.network).__module__], "checkpoint_filter_fn", None)
        if convert is None:
            return dict(state)
        try:
            return dict(convert(dict(state), self.network))
        except Exception:  # it is written for files of this architecture, and anything may come of others
            return dict(state)


@cache
def architecture_spec(name: str) -> ArchitectureSpec:
    """The specification of a catalogue name or of `timm:<model>`."""
    with torch.device("meta"):
        network = construct(catalogue.spec(name), 2)
    linear = [layer for layer in network.get_classifier().modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise BackboneError(f"{name} has no linear classifier", "choose another architecture")
    path = next(path for path, layer in network.named_modules() if layer is linear[-1])
    return ArchitectureSpec(name, network, path)


def canonical_name(architecture: str) -> str:
    """The name that cards use for an architecture: the catalogue's where it has it, else `timm:<model>`.

    A name of timm's, with or without `timm:` and a weights tag, means timm's model; so does an old one, in which timm
    named the weights by a suffix (`tf_efficientnet_b0_ns`).
    """
    if architecture in catalogue.SPECS:
        return architecture
    import timm

    known = set(timm.list_models())
    model = architecture.removeprefix(catalogue.TIMM_PREFIX).partition(".")[0]
    words = model.split("_") if timm.is_model(model) else []
    shorter = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    found = next((name for name in shorter if name in known), None)
    if found is None:
        raise unknown_name_error("architecture", architecture, [*catalogue.SPECS, *known])
    return _catalogue_name(found)


def is_timm_model(model: str) -> bool:
    import timm

    return timm.is_model(model)


def _catalogue_name(model: str) -> str:
    constructor = f"{catalogue.TIMM_PREFIX}{model}"
    ours = (spec.name for spec in catalogue.SPECS.values() if spec.constructor == constructor)
    return next(ours, constructor)


def likely_architectures() -> list[str]:
    """Architectures to try, the likeliest first."""
    ours = [name for name in catalogue.SPECS if name != catalogue.VGGFACE.name]
    return list(dict.fromkeys([*ours, *map(_catalogue_name, COMMON_TIMM_MODELS)]))


def related_architectures(kinds: Iterable[GlobalName]) -> list[str]:
    """All of timm's models that are defined where one of these classes of layers is."""
    import timm

    families = dict.fromkeys(kind.module.split(".")[2] for kind in kinds if kind.module.startswith("timm.models."))
    return [_catalogue_name(model) for family in families for model in timm.list_models(module=family)]
