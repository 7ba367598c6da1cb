"""Resolve references of the form NAME[@WEIGHTS] without importing torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from backbones import catalogue
from backbones.checkpoint_folders import entries_by_name, is_checkpoint
from backbones.errors import BackboneError, unknown_name_error


@dataclass(frozen=True)
class WeightsSource:
    """Where the weights of a backbone come from.

    Attributes
    ----------
    reference : str
        Name of the backbone, NAME[@WEIGHTS], as the user gave it.
    kind : str
        `random`, `tag`, `checkpoint` or `file`.
    name : str
        Catalogue name or `timm:<model>`; "" if the card of the checkpoint gives the architecture.
    tag : str
        The timm tag, for the kind `tag`.
    folder : Path
        The checkpoint folder or the file, for the kinds `checkpoint` and `file`.
    """

    reference: str
    kind: str
    name: str
    tag: str = ""
    folder: Path = Path()


def resolve(reference: str, checkpoints: Path | None = None) -> WeightsSource:
    """Find out where the weights of a backbone come from.

    Parameters
    ----------
    reference : str
        NAME[@WEIGHTS], see `backbones.loading`.
    checkpoints : Path, optional
        Folder of the trained and imported backbones (entries).

    Returns
    -------
    WeightsSource
        Source of the weights.

    Raises
    ------
    BackboneError
        If the name or the weights are unknown; whether timm has weights with a tag is not checked.
    """
    name, at, weights = reference.partition("@")
    entry_folders = entries_by_name(checkpoints)
    if not at:
        return _resolve_bare_name(reference, entry_folders)
    if name in entry_folders:
        catalogue.constructor(name)  # raises if only an entry has this name: weights need an architecture
    else:
        _check_backbone_name(name, entry_folders)
    if weights == "random":
        return WeightsSource(reference, "random", name)
    if weights == "pretrained":
        return WeightsSource(reference, "tag", name, _default_tag(name))
    home_expanded = os.path.expanduser(weights)  # noqa: PTH111 - Path.expanduser raises for unknown users
    path = entry_folders.get(weights, Path(home_expanded))
    if is_checkpoint(path):
        return WeightsSource(reference, "checkpoint", name, folder=path)
    if path.is_file():
        return WeightsSource(reference, "file", name, folder=path)
    if os.sep in weights or path.is_dir():
        raise BackboneError(
            f"no checkpoint at {path}: it has no card.json",
            "give a folder that contains card.json and model.safetensors or model.onnx",
        )
    if not catalogue.constructor(name).startswith(catalogue.TIMM_PREFIX):
        raise unknown_name_error(f"weights of {name}", weights, ["random", *entry_folders])
    return WeightsSource(reference, "tag", name, weights)


def _resolve_bare_name(reference: str, entry_folders: dict[str, Path]) -> WeightsSource:
    if reference in entry_folders:
        return WeightsSource(reference, "checkpoint", "", folder=entry_folders[reference])
    if os.sep in reference and is_checkpoint(Path(reference)):
        return WeightsSource(reference, "checkpoint", "", folder=Path(reference))
    _check_backbone_name(reference, entry_folders)
    tag = catalogue.spec(reference).tag
    return WeightsSource(reference, "tag", reference, tag) if tag else WeightsSource(reference, "random", reference)


def _check_backbone_name(name: str, entry_folders: dict[str, Path]) -> None:
    if name not in catalogue.SPECS and not name.startswith(catalogue.TIMM_PREFIX):
        raise unknown_name_error("backbone", name, [*catalogue.SPECS, *entry_folders])


def _default_tag(name: str) -> str:
    tag = catalogue.spec(name).tag
    if tag is None:
        raise BackboneError(
            f"{name} has no downloadable weights", f"use {name}@random, or the name of a trained or imported backbone"
        )
    return tag
