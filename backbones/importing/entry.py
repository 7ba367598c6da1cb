"""Save imported backbones as entries with a unique name and a card that records their origin."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.card import read_card
from backbones.catalogue import SPECS
from backbones.checkpoint import save_checkpoint
from backbones.checkpoint_folders import entries, entries_by_card
from backbones.errors import BackboneError
from backbones.regular_files import hash_file

if TYPE_CHECKING:
    from backbones.backbone import Backbone

RESERVED = {*SPECS, "random", "pretrained", "import"}


def validate_entry_name(name: str) -> None:
    """Raise BackboneError if a name is invalid or reserved."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,99}", name):
        raise BackboneError(
            f"'{name}' is not a valid name for a backbone",
            "use at most 100 letters, digits, '.', '+', '-' and '_', starting with a letter or digit",
        )
    if name in RESERVED:
        raise BackboneError(f"'{name}' is a reserved name", "choose another name")


def save_entry(backbone: Backbone, path: Path, name: str, checkpoints: Path, card: Mapping[str, Any]) -> Path:
    """Save a backbone as an entry; an identical entry is left unchanged.

    Parameters
    ----------
    backbone : Backbone
        The backbone.
    path : Path
        The file that it was imported from.
    name : str
        Name of the entry.
    checkpoints : Path
        The folder of entries.
    card : mapping
        Further metadata as JSON types; the name and the hash of the file are added.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If another entry has this name as the name of its folder or in its card; references by the name would be
        ambiguous.
    """
    existing = entries(checkpoints).get(name)
    if existing is not None:
        _require_same(read_card(existing), backbone, name, checkpoints)
        return existing
    namesakes = entries_by_card(checkpoints).get(name)
    if namesakes:
        raise BackboneError(
            f"'{name}' is already the name of the trained backbone {namesakes[0].name} in {checkpoints}",
            "choose another name",
        )
    return save_checkpoint(
        Path(checkpoints) / name,
        backbone,
        {
            "name": name,
            "file_sha256": hash_file(path),
            "imported_from": path.name,
            "data": "unknown",
            "parent": None,
            "metrics": {},
            "source": f"imported from {path.name}",
            "licence": "unknown",
            **card,
        },
    )


def _require_same(card: Mapping[str, Any], backbone: Backbone, name: str, checkpoints: Path) -> None:
    expected = {
        "weights_hash": backbone.weights_hash,
        "classes": list(backbone.score_labels),
        "preprocessing": backbone.spec.preprocessing.as_dict(),
        "architecture": backbone.spec.name,
    }
    differing = [key for key, value in expected.items() if card[key] != value]
    if differing:
        raise BackboneError(
            f"backbone '{name}' already exists in {checkpoints} with different {differing[0].replace('_', ' ')}",
            "choose another name",
        )
