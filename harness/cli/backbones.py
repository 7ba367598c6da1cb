"""`framelight backbones` and `framelight backbones import`."""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.cli.output import print_text
from harness.leaderboard.table_layout import wrap_sentence
from harness.utils.console import console_logging, terminal_size
from harness.utils.escaping import escape_text
from harness.utils.store import Store
from harness.utils.text import align_columns, format_count

logger = logging.getLogger(__name__)

COLUMNS = ("name", "input", "parameters", "MACs", "width", "size", "weights", "licence")
LEFT_ALIGNED = tuple(COLUMNS.index(name) for name in ("name", "weights", "licence"))
"""Columns of text, aligned to the left."""


def main(arguments: argparse.Namespace) -> None:
    """List the backbones, or print one of them."""
    import backbones

    folder = backbones_dir(arguments.store)
    cache = arguments.store.backbone_info if arguments.store.root.is_dir() else None
    if arguments.name:
        print_text(_format_details(backbones.describe(arguments.name, folder, cache)))
        return
    lines: list[tuple[str, ...]] = [COLUMNS]
    faults: list[str] = []
    for name in [*backbones.names(), *sorted(backbones.entries(folder))]:
        try:
            lines.append(_format_row(backbones.describe(name, folder, cache)))
        except backbones.BackboneError as error:
            faults.append(f"{name}: {error}")
    print_text("\n".join(align_columns(lines, LEFT_ALIGNED)))
    print()
    for note in (
        "MACs: of one face crop, unknown (-) for an ONNX file; size: of float32 weights or of the ONNX file",
        "any timm model is a backbone too: timm:NAME",
        f"trained and imported backbones are in {escape_text(str(folder))}",
    ):
        print_text(wrap_sentence(note, terminal_size()[0]))
    for fault in faults:
        logger.warning(fault)


def backbones_dir(store: Store) -> Path:
    """Return the folder of trained and imported backbones; raise InputError if the store is not a folder."""
    store.require_folder()
    return store.backbones


def _format_row(about: dict[str, Any]) -> tuple[str, ...]:
    return (
        about["name"],
        str(about["input_size"]),
        format_count(about["parameters"]),
        format_count(about["macs"]),
        str(about["embedding_width"]),
        f"{about['size_mb']:.1f} MB",
        _weights_origin(about),
        about["licence"],
    )


def _weights_origin(about: dict[str, Any]) -> str:
    """Where the weights are from: the file of an imported entry, else what results call them."""
    file = about.get("card", {}).get("imported_from")
    return f"imported {file}" if file else about["weights"]


def _format_details(about: dict[str, Any]) -> str:
    card = about.pop("card", None) or {}
    macs = "not known" if about["macs"] is None else f"{about['macs']:,} for one crop"
    stored = "the file" if card.get("engine") else "float32"
    shown = {
        **about,
        "parameters": f"{about['parameters']:,}",
        "macs": macs,
        "size_mb": f"{about['size_mb']} ({stored})",
    }
    lines = list(_iter_fields({**shown, **{key: value for key, value in card.items() if key not in shown}}))
    width = max(len(key) for key, _ in lines)
    return "\n".join(escape_text(f"{key:<{width}}  {value}") for key, value in lines)


def _iter_fields(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Flatten nested fields to dotted names; empty values are left out."""
    for key, value in fields.items():
        name = f"{prefix}{key.replace('_', ' ')}"
        if isinstance(value, dict):
            yield from _iter_fields(value, f"{name}.")
        elif value not in (None, [], ""):
            yield name, _format_value(value)


def _format_value(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_format_value, value))
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def import_weights(arguments: argparse.Namespace) -> None:
    """Import a weights file as a backbone."""
    import backbones

    with console_logging(sys.stdout):
        folder = backbones.import_file(
            arguments.file, arguments.name, backbones_dir(arguments.store), arguments.architecture, arguments.classes
        )
    print_text(
        f"\n{arguments.name} is in {folder}.\nTo use it, run framelight extract --backbone {arguments.name} --data DIR "
        f"--store {arguments.store}, or list it in a recipe."
    )
