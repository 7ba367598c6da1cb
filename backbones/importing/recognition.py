"""Which architecture the tensors of a file belong to, and the tensors called as that architecture calls them today."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from backbones.checkpoint import require_fitting
from backbones.errors import BackboneError
from backbones.importing import plans
from backbones.importing.plans import Plan
from backbones.importing.settings import differences, odd_classifier
from backbones.importing.torch_files import Read

PREFIXES = ("module.", "_orig_mod.", "backbone.network.", "backbone.", "model.", "network.", "net.", "encoder.")
"""What wrappers put before the names of all tensors: DataParallel, torch.compile, this project, and people's own."""

OWN = "backbone.network."
"""What this project's LightningModule calls its backbone's network; its heads and losses are beside it."""


@dataclass(frozen=True)
class Match:
    """architecture: as cards call it. state: its tensors, all of them and no others. columns: of the classifier."""

    architecture: str
    state: Mapping[str, Tensor]
    columns: int
    left_out: tuple[str, ...] = ()


def recognise(found: Read, architecture: str | None, path: Path) -> Match:
    """The architecture of what was read: the one named, or the first that every tensor fits and every layer agrees.

    BackboneError listing the first tensors or settings that are not as expected.
    """
    state, left_out = bare(found.state)
    if architecture is not None:
        plan = plans.plan(plans.canonical(architecture))
        named = _named(plan, state)
        require_fitting(named, plan.expected(plan.columns(named)), str(path), architecture)
        _require_agreement(found, plan, path)
        return Match(plan.name, named, plan.columns(named), left_out)
    kinds = [layer.kind for layer in found.tree.layers.values()] if found.tree else []
    disagreeing, nearest = [], []
    for name in plans.candidates(kinds):
        plan = plans.plan(name)
        named = plan.named(state)
        misfits = plan.misfits(named)
        nearest.append((misfits, len(nearest), plan, named))
        if misfits:
            continue
        if found.tree is None or not differences(found.tree, plan.network):
            _require_agreement(found, plan, path)
            return Match(name, named, plan.columns(named), left_out)
        disagreeing.append(plan)
    if disagreeing:
        _require_agreement(found, disagreeing[0], path)
    _, _, plan, named = min(nearest)
    require_fitting(named, plan.expected(plan.columns(named)), str(path), f"{plan.name}, nor any other known here",
                    "name the architecture it was made with: --architecture ARCH, a name of timm's included")
    raise AssertionError("a plan without misfits is a match")


def bare(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors without what wrappers put before their names, and the names of those that are beside the backbone."""
    own = {name.removeprefix(OWN): tensor for name, tensor in state.items() if name.startswith(OWN)}
    if own:
        return own, tuple(name for name in state if not name.startswith(OWN))
    state = dict(state)
    while prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state, ()


def _named(plan: Plan, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors as the plan calls them, by timm's own conversion of old names where that makes them fit."""
    named = plan.named(state)
    if plan.misfits(named):
        converted = plan.named(plan.converted(state))
        if not plan.misfits(converted):
            return converted
    return named


def _require_agreement(found: Read, plan: Plan, path: Path) -> None:
    if found.tree is None:
        return
    apart = differences(found.tree, plan.network)
    if apart:
        raise BackboneError(f"{path} has the tensors of {plan.name}, but computes otherwise: {'; '.join(apart[:3])}",
                            "name the architecture it was made with: --architecture ARCH")
    odd = odd_classifier(found.tree, plan.classifier)
    if odd:
        raise BackboneError(f"the classifier of {path} has a {odd} in it, so that its scores are no logits of a linear "
                            "layer", "save the network without it")
