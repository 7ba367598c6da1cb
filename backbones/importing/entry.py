"""An imported backbone becomes an entry: a name that is free, a card that says where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.catalogue import SPECS
from backbones.checkpoint import entries, entries_by_card, hash_file, read_card, save_checkpoint
from backbones.errors import BackboneError

if TYPE_CHECKING:
    from backbones.backbone import Backbone

RESERVED = {*SPECS, "random", "pretrained", "import"}


def validate_entry_name(name: str) -> None:
    """BackboneError for a name that no entry can have."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,99}", name):
        raise BackboneError(
            f"'{name}' cannot be the name of a backbone",
            "use letters, digits, '.', '+', '-' and '_', a letter or digit first",
        )
    if name in RESERVED:
        raise BackboneError(f"'{name}' means something already", "choose another name")


def save_entry(backbone: Backbone, path: Path, name: str, checkpoints: Path, card: Mapping[str, Any]) -> Path:
    """Write the entry `name` and return its folder; one that is the same already is left as it is.

    card: what the file says of itself; its hash and name are added. BackboneError where another entry has the name, or
    answers to it: recipes that name that one would find this.
    """
    present = entries(checkpoints).get(name)
    if present is not None:
        _require_same(read_card(present), backbone, name, checkpoints)
        return present
    others = entries_by_card(checkpoints).get(name)
    if others:
        raise BackboneError(
            f"'{name}' is what the trained backbone {others[0].name} in {checkpoints} is called", "choose another name"
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
    ours = {
        "weights_hash": backbone.weights_hash,
        "classes": list(backbone.score_labels),
        "preprocessing": backbone.spec.preprocessing.as_dict(),
        "architecture": backbone.spec.name,
    }
    other = [key.replace("_", " ") for key, value in ours.items() if card[key] != value]
    if other:
        raise BackboneError(
            f"there is a backbone '{name}' in {checkpoints} already, and its {other[0]} "
            f"{'is' if other[0] != 'classes' else 'are'} not this file's",
            "choose another name",
        )
