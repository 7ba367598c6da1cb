"""Read `card.json`, the metadata of a checkpoint folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backbones.atomic_files import restore_displaced
from backbones.catalogue import constructor
from backbones.errors import BackboneError, printable
from backbones.regular_files import read_regular_text
from backbones.spec import ONNX_CONSTRUCTOR, BackboneInfo, BackboneSpec, Preprocessing

CARD = "card.json"

ONNX_ENGINE = "onnxruntime"
"""Value of `engine` in the card of a model that runs through ONNX Runtime; other cards have no such key."""

FORMAT = 1
MAX_TEXT = 4096
"""Largest number of characters in a text field."""
MAX_SIZE_MB = 1e9
MAX_CARD_BYTES = 2**24
"""Largest size of a card."""

REQUIRED_KEYS = (
    "name",
    "architecture",
    "preprocessing",
    "classes",
    "embedding_width",
    "score_width",
    "parameters",
    "macs",
    "size_mb",
    "weights_hash",
    "licence",
)


def read_card(folder: Path) -> dict[str, Any]:
    """Read and validate the card of a checkpoint folder.

    Parameters
    ----------
    folder : Path
        The checkpoint folder.

    Returns
    -------
    dict
        The card, with at least `REQUIRED_KEYS`.

    Raises
    ------
    BackboneError
        If the card is missing, damaged, incomplete or of a newer format, or if one of its values is invalid.

    Examples
    --------
    >>> import backbones
    >>> backbones.read_card("missing")
    Traceback (most recent call last):
    backbones.errors.BackboneError: no checkpoint at missing: it has no card.json
    """
    path = Path(folder) / CARD
    if not path.parent.exists():
        restore_displaced(path.parent.parent, path.parent.name)
    try:
        card = _parse_json(read_regular_text(path, limit=MAX_CARD_BYTES))
    except FileNotFoundError as error:
        raise BackboneError(f"no checkpoint at {folder}: it has no {CARD}") from error
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} cannot be read: {error}", "save the checkpoint again") from error
    missing_keys = [key for key in REQUIRED_KEYS if not isinstance(card, dict) or key not in card]
    if missing_keys:
        raise BackboneError(f"{path} lacks {', '.join(missing_keys)}", "save the checkpoint again")
    version = card.get("format", FORMAT)
    if not _is_count(version) or version > FORMAT:
        raise BackboneError(
            f"{path} has format {printable(repr(version), 40)}, but this version reads formats up to {FORMAT}",
            "upgrade framelight",
        )
    faults = [f"{name} is not {expected}" for name, (check, expected) in CHECKS.items() if not check(card.get(name))]
    if not faults and card["classes"] and len(card["classes"]) != card["score_width"]:
        faults = [f"it names {len(card['classes'])} classes for {card['score_width']} score columns"]
    if faults:
        raise BackboneError(f"{path}: {'; '.join(faults)}", "correct the file, or save the checkpoint again")
    try:
        Preprocessing.from_dict(card["preprocessing"])
        if card.get("engine") is None:
            constructor(card["architecture"])
    except BackboneError as error:
        raise BackboneError(
            f"{path}: {printable(error.message)}", "correct the file, or save the checkpoint again"
        ) from error
    return dict(card)


def _parse_json(text: str) -> Any:
    """Parse JSON; raise ValueError for text that is not JSON or is nested too deeply."""
    try:
        value = json.loads(text)
        json.dumps(value)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**63


def _is_size(value: Any) -> bool:
    return type(value) in (int, float) and 0 <= value <= MAX_SIZE_MB


def _are_classes(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_about_images(value: Any) -> bool:
    return isinstance(value, dict) and _is_count(value.get("images")) and _is_text(value.get("unknown", ""))


CHECKS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    **dict.fromkeys(("name", "architecture", "weights_hash", "licence"), (_is_text, "text")),
    **dict.fromkeys(("score_width", "parameters"), (_is_count, "a whole number")),
    "embedding_width": (lambda value: _is_count(value) and value > 0, "a positive whole number"),
    "macs": (lambda value: value is None or _is_count(value), "a whole number or null"),
    "size_mb": (_is_size, "a size"),
    "classes": (_are_classes, "a list of names"),
    "preprocessing": (lambda value: isinstance(value, dict), "an object"),
    "engine": (lambda value: value is None or _is_text(value), "text"),
    "source": (lambda value: value is None or _is_text(value), "text"),
    "image_hashes": (
        lambda value: value is None or _is_about_images(value),
        "an object whose `images` is a whole number",
    ),
}
"""For each checked field of a card: the check and, for the error message, what the value must be."""


def is_onnx(card: Mapping[str, Any]) -> bool:
    """Return whether the model of a card runs through ONNX Runtime; raise BackboneError for an unknown engine."""
    engine = card.get("engine")
    if engine not in (None, ONNX_ENGINE):
        raise BackboneError(
            f"checkpoint {card['name']} needs the engine '{engine}', which this version does not support",
            "upgrade framelight",
        )
    return bool(engine == ONNX_ENGINE)


def spec_from_card(card: Mapping[str, Any]) -> BackboneSpec:
    """Return the spec of a checkpoint, with the preprocessing and classes of its card."""
    return BackboneSpec(
        card["architecture"],
        ONNX_CONSTRUCTOR if is_onnx(card) else constructor(card["architecture"]),
        Preprocessing.from_dict(card["preprocessing"]),
        tuple(card["classes"]),
        card["licence"],
        str(card.get("source", "")),
        None,
        int(card["score_width"]),
    )


def info_from_card(card: Mapping[str, Any], reference: str, checkpoints: Path | None) -> BackboneInfo:
    """Return the metadata of a checkpoint from its card alone; the hash of the weights is not verified.

    Parameters
    ----------
    card : mapping
        See `read_card`.
    reference : str
        Name of the backbone, NAME[@WEIGHTS], as passed to `backbones.load`.
    checkpoints : Path or None
        Folder of the trained and imported backbones that `reference` may name.

    Returns
    -------
    BackboneInfo
        The same metadata as after loading the backbone.
    """
    spec, name = spec_from_card(card), str(card["name"])
    return BackboneInfo(
        reference,
        name,
        f"checkpoint {name}",
        card["weights_hash"],
        False,
        int(card["embedding_width"]),
        int(card["score_width"]),
        spec.score_labels,
        int(card["parameters"]),
        None if card["macs"] is None else int(card["macs"]),
        float(card["size_mb"]),
        spec,
        checkpoints,
    )
