"""Which architecture the tensors of a file belong to, and the tensors called as that architecture calls them today."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

WRONG = "name the architecture it was made with"
UNKNOWN = "name the architecture it was made with: --architecture ARCH, a name of timm's included"
OWN = "backbone.network."
"""What this project's LightningModule calls its backbone's network; its heads and losses are beside it."""


@dataclass(frozen=True)
class Match:
    """An architecture tried on a file's tensors.

    state: the tensors, called as the architecture calls them. misfits: how many of them do not fit; none once
    recognised. left_out: names of the file's tensors that are beside the backbone.
    """

    plan: Plan
    state: Mapping[str, Tensor]
    misfits: int
    left_out: tuple[str, ...] = ()

    @property
    def columns(self) -> int:
        """Width of its classifier; 0 where it has none."""
        return self.plan.columns(self.state)


def recognise(found: Read, architecture: str | None, path: Path) -> Match:
    """The architecture of what was read: the one named, or the first that every tensor fits and every layer agrees.

    BackboneError listing the first tensors or settings that are not as expected.
    """
    state, left_out = bare(found.state)
    if architecture is not None:
        match, shown, hint = _named(plans.plan(plans.canonical(architecture)), state), architecture, WRONG
    else:
        match = _search(found, state)
        shown, hint = f"{match.plan.name}, nor of anything else known here", UNKNOWN
    require_fitting(match.state, match.plan.expected(match.columns), str(path), shown, hint)
    _require_agreement(found, match.plan, path)
    return replace(match, left_out=left_out)


def _search(found: Read, state: Mapping[str, Tensor]) -> Match:
    """The first architecture that agrees in all, else the first whose tensors fit, else the nearest."""
    best = _best(plans.likely(), found, state)
    if best.misfits and found.tree is not None:
        related = plans.related(layer.kind for layer in found.tree.layers.values())
        known = set(plans.likely())
        others = [name for name in related if name not in known]
        best = min(best, _best(others, found, state), key=lambda match: match.misfits) if others else best
    return best


def _best(names: Sequence[str], found: Read, state: Mapping[str, Tensor]) -> Match:
    matches = []
    for name in names:
        plan = plans.plan(name)
        # timm's conversions are for files known to be of that architecture; our own may be tried on any
        match = _as_it_is(plan, state) if plan.is_timm else _named(plan, state)
        if not match.misfits and (found.tree is None or not differences(found.tree, plan.network)):
            return match
        matches.append(match)
    return min(matches, key=lambda match: match.misfits)


def _as_it_is(plan: Plan, state: Mapping[str, Tensor]) -> Match:
    named = plan.named(state)
    return Match(plan, named, plan.misfits(named))


def _named(plan: Plan, state: Mapping[str, Tensor]) -> Match:
    """By the architecture's own conversion of other names, where that makes the tensors fit."""
    match = _as_it_is(plan, state)
    converted = _as_it_is(plan, plan.converted(state)) if match.misfits else match
    return match if converted.misfits else converted


def bare(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The tensors without what wrappers put before their names, and the names of those that are beside the backbone."""
    own = {name.removeprefix(OWN): tensor for name, tensor in state.items() if name.startswith(OWN)}
    if own:
        return own, tuple(name for name in state if not name.startswith(OWN))
    state = dict(state)
    while state and (prefix := next((p for p in PREFIXES if all(name.startswith(p) for name in state)), None)):
        state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state, ()


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
