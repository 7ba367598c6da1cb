"""Match the tensors of a file to an architecture and rename them to the current names of the architecture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from torch import Tensor

from backbones.errors import BackboneError
from backbones.importing import architectures
from backbones.importing.architectures import ArchitectureSpec
from backbones.importing.layer_settings import find_differences, unexpected_classifier_layer
from backbones.importing.torch_files import WeightsFile
from backbones.state_dict import check_state_dict

PREFIXES = ("module.", "_orig_mod.", "backbone.network.", "backbone.", "model.", "network.", "net.", "encoder.")
"""Prefixes that wrappers add to the names of all tensors: DataParallel, torch.compile, this project and users' code."""

WRONG_ARCHITECTURE_HINT = "specify the architecture of the weights"
UNKNOWN_ARCHITECTURE_HINT = "specify the architecture of the weights: --architecture ARCH, which may be a timm model"
NETWORK_PREFIX = "backbone.network."
"""Prefix of the network in this project's LightningModule, which also contains heads and losses."""


@dataclass(frozen=True)
class Match:
    """Result of matching an architecture with the tensors of a file.

    Attributes
    ----------
    spec : ArchitectureSpec
        The architecture.
    state : mapping of str to Tensor
        The tensors with the names of the architecture.
    mismatches : int
        Number of tensors that do not fit; 0 in the result of `match_architecture`.
    left_out : tuple of str
        Names of tensors of the file that do not belong to the backbone.
    """

    spec: ArchitectureSpec
    state: Mapping[str, Tensor]
    mismatches: int
    left_out: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Number of classifier columns; 0 if there is no classifier."""
        return self.spec.classifier_width(self.state)


def match_architecture(weights: WeightsFile, architecture: str | None, path: Path) -> Match:
    """Match the tensors of a file to an architecture.

    Parameters
    ----------
    weights : WeightsFile
        The content of the file.
    architecture : str or None
        A catalogue name or a timm model; None for the first known architecture that fits all tensors and, for a
        pickled network, all layer settings.
    path : Path
        The file, for the message of an error.

    Returns
    -------
    Match
        The architecture and the renamed tensors.

    Raises
    ------
    BackboneError
        If the architecture is unknown or does not fit the tensors and layers; the message gives the first
        differences.
    """
    state, left_out = strip_prefixes(weights.state)
    if architecture is not None:
        match, shown, hint = (
            _match_converted(architectures.architecture_spec(architectures.canonical_name(architecture)), state),
            architecture,
            WRONG_ARCHITECTURE_HINT,
        )
    else:
        match = _search_architectures(weights, state)
        shown, hint = f"{match.spec.name} or another known architecture", UNKNOWN_ARCHITECTURE_HINT
    check_state_dict(match.state, match.spec.expected_state(match.columns), str(path), shown, hint)
    _check_layer_settings(weights, match.spec, path)
    return replace(match, left_out=left_out)


def _search_architectures(weights: WeightsFile, state: Mapping[str, Tensor]) -> Match:
    """Return the first match of tensors and layer settings, else the first match of all tensors, else the closest."""
    best = _best_match(architectures.likely_architectures(), weights, state)
    if best.mismatches and weights.tree is not None:
        related = architectures.related_architectures(layer.kind for layer in weights.tree.layers.values())
        tried = set(architectures.likely_architectures())
        untried = [name for name in related if name not in tried]
        best = min(best, _best_match(untried, weights, state), key=lambda match: match.mismatches) if untried else best
    return best


def _best_match(names: Sequence[str], weights: WeightsFile, state: Mapping[str, Tensor]) -> Match:
    matches = []
    for name in names:
        spec = architectures.architecture_spec(name)
        # timm's conversion functions expect files of their own architecture, so they are not tried here
        match = _match_unconverted(spec, state) if spec.is_timm else _match_converted(spec, state)
        if not match.mismatches and (weights.tree is None or not find_differences(weights.tree, spec.network)):
            return match
        matches.append(match)
    return min(matches, key=lambda match: match.mismatches)


def _match_unconverted(spec: ArchitectureSpec, state: Mapping[str, Tensor]) -> Match:
    renamed = spec.rename_tensors(state)
    return Match(spec, renamed, spec.count_mismatches(renamed))


def _match_converted(spec: ArchitectureSpec, state: Mapping[str, Tensor]) -> Match:
    """Match the tensors unchanged; if only the result of `ArchitectureSpec.convert_state` fits, match that instead."""
    match = _match_unconverted(spec, state)
    converted = _match_unconverted(spec, spec.convert_state(state)) if match.mismatches else match
    return match if converted.mismatches else converted


def strip_prefixes(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """Remove the prefixes that wrappers add to the names of tensors.

    Parameters
    ----------
    state : mapping of str to Tensor
        A state dict.

    Returns
    -------
    state : dict of str to Tensor
        The tensors of the backbone.
    left_out : tuple of str
        Names of the tensors outside the backbone; only checkpoints of this project have any.
    """
    network_state = {
        name.removeprefix(NETWORK_PREFIX): tensor for name, tensor in state.items() if name.startswith(NETWORK_PREFIX)
    }
    if network_state:
        return network_state, tuple(name for name in state if not name.startswith(NETWORK_PREFIX))
    state = dict(state)
    while state and (prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state, ()


def _check_layer_settings(weights: WeightsFile, spec: ArchitectureSpec, path: Path) -> None:
    if weights.tree is None:
        return
    differences = find_differences(weights.tree, spec.network)
    if differences:
        raise BackboneError(
            f"{path} has the tensors of {spec.name} but different layer settings: {'; '.join(differences[:3])}",
            "specify the architecture of the weights: --architecture ARCH",
        )
    unexpected = unexpected_classifier_layer(weights.tree, spec.classifier)
    if unexpected:
        raise BackboneError(
            f"the classifier of {path} contains a {unexpected} layer, so its scores are not the logits of a linear "
            "layer",
            "save the network without that layer",
        )
