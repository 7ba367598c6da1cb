"""Read `card.json`, the metadata of a checkpoint folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backbones.catalogue import constructor
from backbones.errors import BackboneError, printable
from backbones.regular_files import read_regular_text
from backbones.spec import ONNX_CONSTRUCTOR, BackboneInfo, BackboneSpec, Preprocessing

CARD = "card.json"

ONNX_ENGINE = "onnxruntime"
"""Value of `engine` in the card of a model that runs through ONNX Runtime; other cards have no such key."""

FORMAT = 1

SAVE_AGAIN = "save the checkpoint again"
MAX_CARD_BYTES = 2**24
"""Largest size of a card."""

MAX_NUMBER = 2**53


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value.isprintable()


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_NUMBER


def _is_size(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MAX_NUMBER


FIELD_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "name": (lambda value: _is_text(value) and value != "", "text"),
    "architecture": (lambda value: _is_text(value) and value != "", "text"),
    "preprocessing": (lambda value: isinstance(value, dict), "an object"),
    "classes": (lambda value: isinstance(value, list) and all(map(_is_text, value)), "a list of names"),
    "embedding_width": (lambda value: _is_count(value) and value > 0, "a number of columns"),
    "score_width": (_is_count, "a number of columns"),
    "parameters": (_is_count, "a count"),
    "macs": (lambda value: value is None or _is_count(value), "a count or null"),
    "size_mb": (_is_size, "a size in MB"),
    "weights_hash": (lambda value: _is_text(value) and value != "", "a hash"),
    "licence": (lambda value: isinstance(value, str), "text"),
}
"""Check and description of the value of each required key."""
OPTIONAL_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "format": (_is_count, "a version"),
    "source": (lambda value: isinstance(value, str), "text"),
    "engine": (lambda value: value is None or _is_text(value), "text or null"),
    "ports": (lambda value: isinstance(value, dict), "an object"),
}
REQUIRED_KEYS = tuple(FIELD_RULES)


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
        If the card is missing, damaged, incomplete or of a newer format, or its preprocessing is invalid.

    Examples
    --------
    >>> import backbones
    >>> backbones.read_card("missing")
    Traceback (most recent call last):
    backbones.errors.BackboneError: no checkpoint at missing: it has no card.json
    """
    path = Path(folder) / CARD
    try:
        card = json.loads(read_regular_text(path, limit=MAX_CARD_BYTES))
    except FileNotFoundError as error:
        raise BackboneError(f"no checkpoint at {folder}: it has no {CARD}") from error
    except RecursionError as error:
        raise BackboneError(f"{path} cannot be read: it is nested too deeply", SAVE_AGAIN) from error
    except (OSError, ValueError) as error:
        raise BackboneError(f"{path} cannot be read: {error}", SAVE_AGAIN) from error
    missing_keys = [key for key in REQUIRED_KEYS if not isinstance(card, dict) or key not in card]
    if missing_keys:
        raise BackboneError(f"{path} lacks {', '.join(missing_keys)}", SAVE_AGAIN)
    _check_fields(card, path)
    if card.get("format", FORMAT) > FORMAT:
        raise BackboneError(
            f"{path} has format {card['format']}, but this version reads formats up to {FORMAT}", "upgrade framelight"
        )
    try:
        Preprocessing.from_dict(card["preprocessing"])
    except BackboneError as error:
        raise BackboneError(f"{path}: {error.message}", f"correct the file, or {SAVE_AGAIN}") from error
    return dict(card)


def _check_fields(card: Mapping[str, Any], path: Path) -> None:
    for key, (is_valid, description) in {**FIELD_RULES, **OPTIONAL_RULES}.items():
        if key in card and not is_valid(card[key]):
            shown = printable(repr(card[key]), 60)
            raise BackboneError(f"{path}: {key} is {shown}, not {description}", f"correct the file, or {SAVE_AGAIN}")
    if card["classes"] and len(card["classes"]) != card["score_width"]:
        raise BackboneError(
            f"{path}: {len(card['classes'])} classes for {card['score_width']} score columns",
            f"correct the file, or {SAVE_AGAIN}",
        )


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
        The reference of the backbone.
    checkpoints : Path or None
        The folder that `reference` refers to.

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
