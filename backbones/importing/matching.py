"""Which architecture the tensors of a file belong to, and the tensors called as that architecture calls them today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from backbones.checkpoint import check_state_dict
from backbones.errors import BackboneError
from backbones.importing import architectures
from backbones.importing.architectures import ArchitectureSpec
from backbones.importing.layer_settings import find_differences, unexpected_classifier_layer
from backbones.importing.torch_files import WeightsFile

PREFIXES = ("module.", "_orig_mod.", "backbone.network.", "backbone.", "model.", "network.", "net.", "encoder.")
"""What wrappers put before the names of all tensors: DataParallel, torch.compile, this project, and people's own."""

WRONG_ARCHITECTURE_HINT = "name the architecture it was made with"
UNKNOWN_ARCHITECTURE_HINT = "name the architecture it was made with: --architecture ARCH, a name of timm's included"
NETWORK_PREFIX = "backbone.network."
"""What this project's LightningModule calls its backbone's network; its heads and losses are beside it."""


@dataclass(frozen=True)
class Match:
    """An architecture tried on a file's tensors.

    state: the tensors, called as the architecture calls them. mismatches: how many of them do not fit; none
    once it is matched. left_out: names of the file's tensors that are beside the backbone.
    """

    spec: ArchitectureSpec
    state: Mapping[str, Tensor]
    mismatches: int
    left_out: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Width of its classifier; 0 where it has none."""
        return self.spec.classifier_width(self.state)


def match_architecture(found: WeightsFile, architecture: str | None, path: Path) -> Match:
    """The architecture of what was read: the one named, or the first that every tensor fits and every layer agrees.

    BackboneError listing the first tensors or settings that are not as expected.
    """
    state, left_out = strip_prefixes(found.state)
    if architecture is not None:
        match, shown, hint = (
            _match_converted(architectures.architecture_spec(architectures.canonical_name(architecture)), state),
            architecture,
            WRONG_ARCHITECTURE_HINT,
        )
    else:
        match = _search_architectures(found, state)
        shown, hint = f"{match.spec.name}, nor of anything else known here", UNKNOWN_ARCHITECTURE_HINT
    check_state_dict(match.state, match.spec.expected_state(match.columns), str(path), shown, hint)
    _check_layer_settings(found, match.spec, path)
    return replace(match, left_out=left_out)


def _search_architectures(found: WeightsFile, state: Mapping[str, Tensor]) -> Match:
    """The first architecture that agrees in all, else the first whose tensors fit, else the nearest."""
    best = _best_match(architectures.likely_architectures(), found, state)
    if best.mismatches and found.tree is not None:
        related = architectures.related_architectures(layer.kind for layer in found.tree.layers.values())
        known = set(architectures.likely_architectures())
        others = [name for name in related if name not in known]
        best = min(best, _best_match(others, found, state), key=lambda match: match.mismatches) if others else best
    return best


def _best_match(names: Sequence[str], found: WeightsFile, state: Mapping[str, Tensor]) -> Match:
    matches = []
    for name in names:
        spec = architectures.architecture_spec(name)
        # timm's conversions are for files known to be of that architecture; our own may be tried on any
        match = _match_unconverted(spec, state) if spec.is_timm else _match_converted(spec, state)
        if not match.mismatches and (found.tree is None or not find_differences(found.tree, spec.network)):
            return match
        matches.append(match)
    return min(matches, key=lambda match: match.mismatches)


def _match_unconverted(spec: ArchitectureSpec, state: Mapping[str, Tensor]) -> Match:
    named = spec.rename_tensors(state)
    return Match(spec, named, spec.count_mismatches(named))


def _match_converted(spec: ArchitectureSpec, state: Mapping[str, Tensor]) -> Match:
    """By the architecture's own conversion of other names, where that makes the tensors fit."""
    match = _match_unconverted(spec, state)
    converted = _match_unconverted(spec, spec.convert_state(state)) if match.mismatches else match
    return match if converted.mismatches else converted


def strip_prefixes(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors without what wrappers put before their names, and the names of those that are beside the backbone."""
    own = {
        name.removeprefix(NETWORK_PREFIX): tensor for name, tensor in state.items() if name.startswith(NETWORK_PREFIX)
    }
    if own:
        return own, tuple(name for name in state if not name.startswith(NETWORK_PREFIX))
    state = dict(state)
    while state and (prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state, ()


def _check_layer_settings(found: WeightsFile, spec: ArchitectureSpec, path: Path) -> None:
    if found.tree is None:
        return
    apart = find_differences(found.tree, spec.network)
    if apart:
        raise BackboneError(
            f"{path} has the tensors of {spec.name}, but computes otherwise: {'; '.join(apart[:3])}",
            "name the architecture it was made with: --architecture ARCH",
        )
    odd = unexpected_classifier_layer(found.tree, spec.classifier)
    if odd:
        raise BackboneError(
            f"the classifier of {path} has a {odd} in it, so that its scores are no logits of a linear layer",
            "save the network without it",
        )
