"""`framelight backbones`."""

from __future__ import annotations

import argparse
import json
from typing import Any

from harness.cli.saying import say

COLUMNS = ("name", "input", "parameters", "MACs", "width", "size", "weights", "licence")


def main(arguments: argparse.Namespace) -> None:
    import backbones
    from harness.preparation import checkpoints

    folder = checkpoints(arguments.store)
    cache = arguments.store / "features" / "backbones.json" if arguments.store.is_dir() else None
    if arguments.name:
        print(_one(backbones.describe(arguments.name, folder, cache)))
        return
    lines, faults = [COLUMNS], []
    for name in [*backbones.names(), *sorted(backbones.entries(folder))]:
        try:
            lines.append(_line(backbones.describe(name, folder, cache)))
        except backbones.BackboneError as error:
            faults.append(f"{name}: {error}")
    widths = [max(len(line[i]) for line in lines) for i in range(len(COLUMNS))]
    for line in lines:
        print("  ".join(text.rjust(width) if 1 <= i <= 5 else text.ljust(width)
                        for i, (text, width) in enumerate(zip(line, widths))).rstrip())
    print(f"\nMACs are of one face crop, sizes of float32 weights or of an ONNX file, whose MACs are not known (-). "
          f"Any timm model is a backbone too: timm:NAME. Trained and imported entries are in {folder}.")
    for fault in faults:
        say(f"warning: {fault}")


def _line(about: dict[str, Any]) -> tuple[str, ...]:
    return (about["name"], str(about["input_size"]), _short(about["parameters"]), _short(about["macs"]),
            str(about["embedding_width"]), f"{about['size_mb']:.1f} MB", about["weights"], about["licence"])


def _short(number: float | None) -> str:
    if number is None:
        return "-"
    for unit, size in (("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.2f} {unit}"
    return str(number)


def _one(about: dict[str, Any]) -> str:
    card = about.pop("card", None)
    macs = "not known" if about["macs"] is None else f"{about['macs']:,} for one crop"
    stored = "the file" if card and card.get("engine") else "float32"
    shown = {**about, "parameters": f"{about['parameters']:,}", "macs": macs,
             "size_mb": f"{about['size_mb']} ({stored})"}
    if card:
        shown |= {key: json.dumps(value) if isinstance(value, (dict, list)) else value for key, value in card.items()
                  if key not in about and key != "name"}
    width = max(map(len, shown))
    return "\n".join(f"{key.replace('_', ' '):<{width}}  {value}" for key, value in shown.items())
