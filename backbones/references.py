"""What a reference means, found without torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from backbones import catalogue
from backbones.checkpoint import entries_by_name, is_checkpoint
from backbones.errors import BackboneError, unknown_name_error


@dataclass(frozen=True)
class WeightsSource:
    """Where the weights of a reference come from.

    kind: `random`, `tag`, `checkpoint` or `file`. name: catalogue name ("" where a checkpoint's card says it).
    """

    reference: str
    kind: str
    name: str
    tag: str = ""
    folder: Path = Path()


def resolve(reference: str, checkpoints: Path | None = None) -> WeightsSource:
    """The source of NAME[@WEIGHTS]; BackboneError with the nearest names when nothing answers to it."""
    name, at, weights = reference.partition("@")
    known = entries_by_name(checkpoints)
    if not at:
        return _resolve_bare_name(reference, known)
    catalogue.constructor(name) if name in known else _check_backbone_name(name, known)
    if weights == "random":
        return WeightsSource(reference, "random", name)
    if weights == "pretrained":
        return WeightsSource(reference, "tag", name, _default_tag(name))
    path = known.get(weights, Path(weights))
    if is_checkpoint(path):
        return WeightsSource(reference, "checkpoint", name, folder=path)
    if path.is_file():
        return WeightsSource(reference, "file", name, folder=path)
    if os.sep in weights or path.is_dir():
        raise BackboneError(
            f"no checkpoint at {path}: it has no card.json",
            "name a folder that holds card.json and model.safetensors or model.onnx",
        )
    if not catalogue.constructor(name).startswith(catalogue.TIMM_PREFIX):
        raise unknown_name_error(f"weights of {name}", weights, ["random", *known])
    return WeightsSource(reference, "tag", name, weights)


def _resolve_bare_name(reference: str, known: dict[str, Path]) -> WeightsSource:
    if reference in known:
        return WeightsSource(reference, "checkpoint", "", folder=known[reference])
    if os.sep in reference and is_checkpoint(Path(reference)):
        return WeightsSource(reference, "checkpoint", "", folder=Path(reference))
    _check_backbone_name(reference, known)
    tag = catalogue.spec(reference).tag
    return WeightsSource(reference, "tag", reference, tag) if tag else WeightsSource(reference, "random", reference)


def _check_backbone_name(name: str, known: dict[str, Path]) -> None:
    if name not in catalogue.SPECS and not name.startswith(catalogue.TIMM_PREFIX):
        raise unknown_name_error("backbone", name, [*catalogue.SPECS, *known])


def _default_tag(name: str) -> str:
    tag = catalogue.spec(name).tag
    if tag is None:
        raise BackboneError(
            f"{name} has no downloadable weights", f"use {name}@random, or the name of a trained or imported backbone"
        )
    return tag
