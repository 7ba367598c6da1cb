"""Save and remove entries: checkpoint folders with a unique name and a card that records where the backbone is from."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backbones.card import read_card
from backbones.catalogue import SPECS, TIMM_PREFIX
from backbones.checkpoint import save_checkpoint
from backbones.checkpoint_folders import entries, entries_by_card, entries_by_name
from backbones.errors import BackboneError, WriteError, unknown_name_error
from backbones.regular_files import hash_file
from backbones.temp_names import SUFFIX, create_temp

if TYPE_CHECKING:
    from backbones.backbone import Backbone
    from backbones.importing.options import ImportOptions

RESERVED = {*SPECS, "random", "pretrained", "import", "remove"}
COMPARED = ("licence", "source")
"""Fields of a card that are compared with those of an existing entry if the user gives them."""


def validate_entry_name(name: str) -> None:
    """Raise BackboneError if a name is invalid or reserved."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.+-]{0,99}", name):
        raise BackboneError(
            f"'{name}' is not a valid name for a backbone",
            "use at most 100 letters, digits, '.', '+', '-' and '_', starting with a letter or digit",
        )
    if name in RESERVED:
        raise BackboneError(f"'{name}' is a reserved name", "choose another name")


def card_fields(file_format: str, options: ImportOptions) -> dict[str, Any]:
    """Return the fields of a card that describe an import: the format of the file and the options."""
    given = options.given()
    stated = {key: given[key] for key in COMPARED if key in given}
    return {"file_format": file_format, "import_options": given, **stated}


def save_entry(
    backbone: Backbone, path: Path, name: str, checkpoints: Path, card: Mapping[str, Any], sha256: str | None = None
) -> Path:
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
        Folder of the trained and imported backbones (entries).
    card : mapping
        Further metadata as JSON types; the name and the hash of the file are added.
    sha256 : str, optional
        SHA-256 hex digest of all files that the backbone was imported from. Default: the digest of `path`.

    Returns
    -------
    Path
        The folder of the entry.

    Raises
    ------
    BackboneError
        If another entry has this name, as the name of its folder or in its card, so that the name would be ambiguous.
    """
    existing = entries(checkpoints).get(name)
    if existing is not None:
        _require_same(read_card(existing), {**_comparable(backbone), **_stated(card)}, name, checkpoints)
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
            "file_sha256": sha256 or hash_file(path),
            "imported_from": path.name,
            "data": "unknown",
            "parent": None,
            "metrics": {},
            "source": f"imported from {path.name}",
            "licence": "unknown",
            **card,
        },
    )


def _comparable(backbone: Backbone) -> dict[str, Any]:
    """Return the fields of a card in which two entries differ if they compute different features."""
    from backbones.onnx_network import OnnxNetwork

    network = backbone.network
    return {
        "weights_hash": backbone.weights_hash,
        "classes": list(backbone.score_labels),
        "preprocessing": backbone.spec.preprocessing.as_dict(),
        "architecture": backbone.spec.name,
        **({"ports": network.ports.as_dict()} if isinstance(network, OnnxNetwork) else {}),
    }


def _stated(card: Mapping[str, Any]) -> dict[str, Any]:
    return {key: card[key] for key in COMPARED if key in card}


def _require_same(card: Mapping[str, Any], expected: Mapping[str, Any], name: str, checkpoints: Path) -> None:
    differing = [key for key, value in expected.items() if card.get(key) != value]
    if differing:
        raise BackboneError(
            f"backbone '{name}' already exists in {checkpoints} with different {differing[0].replace('_', ' ')}",
            f"choose another name, or remove it: framelight backbones remove {name}",
        )


def remove_entry(name: str, checkpoints: Path | None) -> Path:
    """Remove a trained or imported backbone; cached features stay, because they are found by the hash of the weights.

    Parameters
    ----------
    name : str
        Name of the folder, or the name in the card if no other entry has the same name.
    checkpoints : Path or None
        Folder of the trained and imported backbones (entries).

    Returns
    -------
    Path
        The folder that was removed.

    Raises
    ------
    BackboneError
        If there is no such entry.
    WriteError
        If it cannot be removed.
    """
    folders = entries_by_name(checkpoints)
    if name not in folders:
        if name in SPECS or name.startswith(TIMM_PREFIX):
            raise BackboneError(f"'{name}' is not an entry of the store", "only trained and imported backbones are")
        raise unknown_name_error("trained or imported backbone", name, folders)
    folder = folders[name]
    try:
        if folder.is_symlink():
            folder.unlink()
            return folder
        removed = create_temp(folder, SUFFIX, Path.mkdir)  # a rename removes the entry for all readers at once
        try:
            folder.rename(removed / folder.name)
        finally:
            shutil.rmtree(
                removed, ignore_errors=True
            )  # if this fails, the rest is a temporary folder, which is removed later
    except OSError as error:
        raise WriteError(f"cannot remove {folder}: {error.strerror or error}", "check its permissions") from error
    return folder
