"""`framelight backbones`, `framelight backbones import` and `framelight backbones remove`."""

from __future__ import annotations

import argparse
import dataclasses
import logging
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from harness.cli.output import print_text
from harness.leaderboard.table_layout import Column, fit_to_width, table_lines, wrap_sentence
from harness.utils.console import console_logging, table_width, terminal_size
from harness.utils.escaping import escape_text
from harness.utils.store import Store
from harness.utils.text import format_count

logger = logging.getLogger(__name__)

DROPPED_COLUMNS = ("license", "width", "input", "MACs")
"""Columns that are dropped, in this order, if the table is too wide for the terminal."""


def main(arguments: argparse.Namespace) -> None:
    """List the backbones, or describe one."""
    import backbones

    folder = backbones_dir(arguments.store)
    cache = arguments.store.backbone_info if arguments.store.root.is_dir() else None
    if arguments.name:
        print_text(_format_details(backbones.describe(arguments.name, folder, cache)))
        return
    listed: list[dict[str, Any]] = []
    faults: list[str] = []
    for name in [*backbones.names(), *sorted(backbones.entries(folder))]:
        try:
            listed.append(backbones.describe(name, folder, cache))
        except backbones.BackboneError as error:
            faults.append(f"{name}: {error}")
    columns = _columns()
    cells = fit_to_width(listed, lambda wording: columns, DROPPED_COLUMNS, (), table_width())
    print_text("\n".join(table_lines(cells)))
    print()
    for note in (
        *(["on a wider terminal there are more columns"] if len(cells) < len(columns) else []),
        "MACs: of one face crop, unknown (-) for some ONNX files; MB: of float32 weights or of the ONNX file",
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


def _columns() -> list[Column]:
    return [
        Column("name", lambda about: about["name"], shrinks=True),
        Column("input", lambda about: str(about["input_size"]), right=True),
        Column("parameters", lambda about: format_count(about["parameters"]), right=True),
        Column("MACs", lambda about: format_count(about["macs"]), right=True),
        Column("width", lambda about: str(about["embedding_width"]), right=True),
        Column("MB", lambda about: f"{about['size_mb']:.1f}", right=True),
        Column("weights", _weights_origin, shrinks=True),
        Column("license", lambda about: about["licence"].partition(" (")[0]),
    ]


def _weights_origin(about: dict[str, Any]) -> str:
    """Return the origin of the weights: the file of an imported entry, else `weights` of the description."""
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
    """Yield the name and the formatted value of each non-empty field, with dotted names for nested fields."""
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

    fields = {field.name: getattr(arguments, field.name, None) for field in dataclasses.fields(backbones.ImportOptions)}
    options = backbones.ImportOptions(**{**fields, "value_range": arguments.range})
    with console_logging(sys.stdout):
        folder = backbones.import_file(arguments.file, arguments.name, backbones_dir(arguments.store), options=options)
    print_text(
        f"\n{arguments.name} is in {folder}.\nTo use it, run framelight extract --backbone {arguments.name} --data DIR "
        f"--store {arguments.store}, or list it in a recipe."
    )


def remove(arguments: argparse.Namespace) -> None:
    """Remove a trained or imported backbone."""
    import backbones

    print_text(f"removed {backbones.remove_entry(arguments.name, backbones_dir(arguments.store))}")
