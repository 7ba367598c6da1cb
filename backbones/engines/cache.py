"""What an engine needs and takes long to make: files kept in a folder, and small facts remembered in one."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from backbones.atomic_files import atomic_write, atomic_write_dir
from backbones.checkpoint import CARD, hash_file


def cached_file(folder: Path, name: str, about: Mapping[str, Any], make: Callable[[Path], None]) -> tuple[Path, str]:
    """`folder`/`name` and its sha256; made by `make(path)` where it is absent, altered or not of these facts.

    about: JSON types, kept beside it in card.json. The folder appears whole or not at all.
    """
    path = Path(folder) / name
    found = _verified_hash(path, about)
    if found:
        return path, found
    with atomic_write_dir(path.parent) as aside:
        make(aside / name)
        digest = hash_file(aside / name)
        (aside / CARD).write_text(
            json.dumps({**about, "sha256": digest}, indent=1, sort_keys=True) + "\n", encoding="utf-8"
        )
    return path, digest


def _verified_hash(path: Path, about: Mapping[str, Any]) -> str | None:
    try:
        card, digest = json.loads((path.parent / CARD).read_text(encoding="utf-8")), hash_file(path)
    except (OSError, ValueError):
        return None
    return digest if card == {**about, "sha256": digest} else None


def read_fact(path: Path, key: str) -> Any:
    """The fact that `write_fact` wrote under that key; None where there is none, or the file is damaged."""
    return read_facts(path).get(key)


def write_fact(path: Path, key: str, fact: Any) -> None:
    """Keep a fact (JSON types) in a file of many. One of two that write at the same moment is forgotten, as a fact
    that can be found out again may be.
    """
    atomic_write(path, json.dumps({**read_facts(path), key: fact}, indent=1, sort_keys=True) + "\n")


def read_facts(path: Path) -> dict[str, Any]:
    """All facts of a file by their keys; none where it is absent or damaged."""
    try:
        facts = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}
